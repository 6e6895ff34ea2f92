"""Which scenario a call runs under, and whether it fails there."""

from collections.abc import Iterable
from random import Random

from simulator.cloud.catalog import SERVER_TYPES
from simulator.scenario import Call, Error, Failure, Scenario

ACTIONS = frozenset({Call.POWERON, Call.POWEROFF, Call.TERMINATE})


class ActiveScenario:
    """A scenario in use, with its counts and its random numbers. Setting a scenario again resets both."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._fired = [0] * len(scenario.failures)
        self._random = Random(scenario.seed)  # noqa: S311 - reproducible dice, no secret

    def fails(self, call: Call, *, zone: str | None, instance_type: str | None) -> Failure | None:
        """The failure for this call, or None. Asking counts as one call."""
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


class Scenarios:
    """The default scenario, and those of servers with a certain tag."""

    def __init__(self, default: Scenario) -> None:
        self.default = ActiveScenario(default)
        self._by_tag: dict[str, ActiveScenario] = {}

    def of(self, tags: Iterable[str]) -> ActiveScenario:
        """That of the first tag with a scenario, else the default."""
        for tag in tags:
            if tag in self._by_tag:
                return self._by_tag[tag]
        return self.default

    def set_default(self, scenario: Scenario) -> None:
        self.default = ActiveScenario(scenario)

    def set_for(self, tag: str, scenario: Scenario) -> None:
        self._by_tag[tag] = ActiveScenario(scenario)


def is_short(scenario: Scenario, zone: str, instance_type: str) -> bool:
    """Whether the availability list says `shortage`: every creation fails as out of stock."""
    return any(
        failure.error is Error.OUT_OF_STOCK
        and failure.times is None
        and _matches(failure, Call.CREATE_SERVER, zone, instance_type)
        for failure in scenario.failures
    )


def _matches(failure: Failure, call: Call, zone: str | None, instance_type: str | None) -> bool:
    """Only a type that exists runs out of stock."""
    if failure.error is Error.OUT_OF_STOCK and instance_type is not None and instance_type not in SERVER_TYPES:
        return False
    return (
        (failure.call in (call, Call.ANY) or (failure.call is Call.SERVER_ACTION and call in ACTIONS))
        and failure.zone in (None, zone)
        and failure.instance_type in (None, instance_type)
    )
