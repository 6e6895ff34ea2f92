"""Whatever somebody can ask for has a type of entry."""

from services.api.audit.entries import EntryType
from shared.actor import RequestedBy
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.lifecycle.events import EVENTS


def test_every_event_that_somebody_asks_for_is_a_type_of_entry() -> None:
    asked_for = {name for name, kind in (EVENTS | DEPLOYMENT_EVENTS).items() if issubclass(kind, RequestedBy)}
    assert {"InstanceRequested", "DeploymentChanged"} <= asked_for
    assert asked_for == {*EntryType} & {*EVENTS, *DEPLOYMENT_EVENTS}
