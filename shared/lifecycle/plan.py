"""The provisioner's to-do: maps the event that triggered it to the one action that the event may still ask for."""

from collections.abc import Mapping
from typing import Final

from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import DONE
from shared.lifecycle.status import FAILURES, GONE, STARTING_UP, Status

INSTALLING: Final[Mapping[type[e.Event], Action]] = {
    kind: kind.asks_for for kind in e.EVENTS.values() if kind.asks_for is Action.INSTALL
}
RELEASING: Final = tuple(kind for kind in e.EVENTS.values() if kind.asks_for is Action.RELEASE)
"""Events that end an instance, and events that may reveal a resource of an ended one."""
LAUNCHING: Final[Mapping[type[e.Event], Action]] = {
    kind: kind.asks_for
    for kind in e.EVENTS.values()
    if kind.asks_for is not None and kind not in {*INSTALLING, *RELEASING}
}

_STEPS: Final[Mapping[type[e.Event], Action]] = {**LAUNCHING, **INSTALLING}
_AT: Final[Mapping[str, Action]] = {
    **{kind.type(): action for kind, action in _STEPS.items()},
    e.SshInstallStarted.type(): Action.INSTALL,
    e.SshInstallPhaseReached.type(): Action.INSTALL,
    e.WeightsProgressed.type(): Action.INSTALL,
}
"""The action under way at each step."""
_BEING_INSTALLED: Final = frozenset({Status.BOOTING, Status.INSTALLING})


def plan(instance: Instance, trigger: e.Event) -> Action | None:
    """The action due because of `trigger`, given the instance as it is now; None if it is done or overtaken."""
    if instance.status is Status.TERMINATING:
        return Action.RELEASE
    if instance.status in FAILURES | GONE:
        return None if instance.kept or instance.resources.released else Action.RELEASE
    action = _STEPS.get(type(trigger))
    if action is None or instance.reached(DONE[action]):
        return None
    if action is Action.INSTALL:
        return action if _may_install(instance, trigger) else None
    if action is Action.STORE_IMAGE:
        return action if instance.reached(e.MachineSealed) and instance.status in _BEING_INSTALLED else None
    return action


def due(instance: Instance) -> Action | None:
    """The action under way, as far as status and step tell; None if it is not the provisioner's turn."""
    if instance.status is Status.TERMINATING:
        return Action.RELEASE
    return _AT.get(instance.step) if instance.status in STARTING_UP | {Status.PROVISIONING} else None


def _may_install(instance: Instance, trigger: e.Event) -> bool:
    of_this_attempt = isinstance(trigger, e.SshReachable | e.ReinstallRequested) and trigger.attempt == instance.attempt
    open_to_it = instance.status in _BEING_INSTALLED
    return of_this_attempt and open_to_it and not instance.reached(e.MachineSealed, e.InstanceReady)
