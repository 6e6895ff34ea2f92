"""Which scenario a call runs under, and whether it fails there."""

from collections.abc import Iterable
from random import Random

from simulator.scenario import Call, Error, Failure, Scenario

ACTIONS = frozenset({Call.POWERON, Call.POWEROFF, Call.TERMINATE})


class Rehearsal:
    """A scenario in use: it counts its failures and draws their dice. Given anew, it begins anew."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._fired = [0] * len(scenario.failures)
        self._random = Random(scenario.seed)  # noqa: S311 - reproducible dice, no secret

    def fails(self, call: Call, *, zone: str | None, instance_type: str | None) -> Failure | None:
        """The failure that this call meets now. Asking counts."""
        for position, failure in enumerate(self.scenario.failures):
            if not _matches(failure, call, zone, instance_type):
                continue
            if failure.times is not None and self._fired[position] >= failure.times:
                continue
            if self._random.random() < failure.probability:
                self._fired[position] += 1
                return failure
        if self.scenario.random_failures and self._random.random() < self.scenario.random_failures:
            return Failure(call=call, error=self._random.choice(self.scenario.random_errors))
        return None


class Rehearsals:
    """The default scenario, and those of servers that bear a tag."""

    def __init__(self, default: Scenario) -> None:
        self.default = Rehearsal(default)
        self._by_tag: dict[str, Rehearsal] = {}

    def of(self, tags: Iterable[str]) -> Rehearsal:
        """The first of these tags that has a scenario decides."""
        for tag in tags:
            if tag in self._by_tag:
                return self._by_tag[tag]
        return self.default

    def set_default(self, scenario: Scenario) -> None:
        self.default = Rehearsal(scenario)

    def set_for(self, tag: str, scenario: Scenario) -> None:
        self._by_tag[tag] = Rehearsal(scenario)


def is_short(scenario: Scenario, zone: str, instance_type: str) -> bool:
    """Whether the availability list would say `shortage`: creating fails for want of stock, without an end."""
    return any(
        failure.error is Error.OUT_OF_STOCK
        and failure.times is None
        and _matches(failure, Call.CREATE_SERVER, zone, instance_type)
        for failure in scenario.failures
    )


def _matches(failure: Failure, call: Call, zone: str | None, instance_type: str | None) -> bool:
    return (
        (failure.call in (call, Call.ANY) or (failure.call is Call.SERVER_ACTION and call in ACTIONS))
        and failure.zone in (None, zone)
        and failure.instance_type in (None, instance_type)
    )
