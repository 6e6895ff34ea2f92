"""Which machines fail, and how, where a scenario gives a probability."""

from random import Random
from typing import Any, Final

from simulator.host.faults import PHASES
from simulator.scenario import Scenario

_SOON: Final = 1.0


class MachineFailures:
    """Drawn at each server's first boot. The same seed and the same order of first boots repeat them."""

    def __init__(self) -> None:
        self._dice: dict[int, Random] = {}
        self._drawn: dict[str, dict[str, Any]] = {}

    def scenario_of(self, server_id: str, scenario: Scenario) -> Scenario:
        """`scenario` with the failures of this server."""
        if not scenario.machine_failures:
            return scenario
        if server_id not in self._drawn:
            dice = self._dice.setdefault(scenario.seed, Random(scenario.seed))  # noqa: S311 - chance, not secrecy
            self._drawn[server_id] = _drawn(dice, scenario.machine_failures)
        return scenario.model_copy(update=self._drawn[server_id])


def _drawn(dice: Random, probability: float) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if dice.random() < probability:
        drawn[dice.choice(("never_ssh", "wrong_host_key"))] = True
    if dice.random() < probability:
        drawn["install_fails_at"] = dice.choice(sorted(PHASES))
        drawn["install_fails_times"] = dice.choice((1, None))
    if dice.random() < probability:
        drawn |= dice.choice(({"never_loads": True}, {"dies_after_ready": _SOON}))
    return drawn
