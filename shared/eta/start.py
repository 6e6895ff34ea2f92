"""How a launch began: with what was on its machine, and who fetches the model. It decides how long the rest takes."""

from typing import Final, Literal, NamedTuple, TypeAlias

from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance

Weights: TypeAlias = Literal["cold", "warm", "worker"]
"""The install fetches the model, or finds all of it on the machine, or leaves it to the worker."""
_BEFORE: Final = frozenset({None, "preflight", "host_key", "data_disk"})
"""Install phases in which nobody fetches the model yet."""


class Start(NamedTuple):
    """None is not known, or not yet."""

    machine_image: bool | None = None
    weights: Weights | None = None

    def fits(self, known: "Start") -> bool:
        """Whether it may turn out to be that of a launch of which so much is `known`."""
        return all(there is None or there == own for own, there in zip(self, known, strict=True))


UNKNOWN: Final = Start()


def start_of(instance: Instance) -> Start:
    """A model that is wholly there may have been there before, so that tells nothing."""
    created = e.InstanceCreated.__name__ in instance.milestones
    return Start(instance.machine_image is not None if created else None, _weights(instance))


def _weights(instance: Instance) -> Weights | None:
    fetching = instance.weights
    if fetching is not None:
        return "cold" if fetching.fetched_bytes < fetching.total_bytes else None
    return None if instance.install.phase in _BEFORE else "worker"
