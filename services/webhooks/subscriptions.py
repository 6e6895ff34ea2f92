"""Which webhooks get an event. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID, uuid5

from shared.deployments.deployment import Deployment
from shared.journal.recorded import AnyRecorded


@dataclass(frozen=True)
class WebhookFilter:
    """A webhook's filters; None: any. `organization_id` is whose it is, None the installation's."""

    id: UUID
    organization_id: UUID | None
    events: frozenset[str] | None
    models: frozenset[str] | None
    organizations: frozenset[UUID] | None
    after_sequence: int

    @classmethod
    def of(cls, row: Any) -> Self:
        """From a row of the table."""
        return cls(
            row["id"],
            row["organization_id"],
            _set(row["events"]),
            _set(row["models"]),
            _set(row["organizations"]),
            row["after_sequence"],
        )

    def wants(self, recorded: AnyRecorded) -> bool:
        model = _model(recorded)
        return (
            self.wants_type(recorded.type)
            and (self.models is None or model in self.models)
            and self.may_know(_organization(recorded))
        )

    def wants_type(self, kind: str) -> bool:
        return self.events is None or kind in self.events

    def may_know(self, organization_id: UUID | None) -> bool:
        """Of something of this organisation, None being shared: an organisation's webhook gets what is its own."""
        if self.organization_id is not None and self.organization_id != organization_id:
            return False
        return self.organizations is None or organization_id in self.organizations


@dataclass(frozen=True)
class Queued:
    """An event that one webhook is to get."""

    id: UUID
    webhook_id: UUID
    message_id: str
    type: str
    sequence: int


def queued(
    subscriptions: Iterable[WebhookFilter], recorded: AnyRecorded, replay: UUID | None = None
) -> Iterator[Queued]:
    """For each webhook that wants the event, and was there before it; a replay (its id) also gets older ones.

    The ids follow from the event, so queueing twice makes one delivery.
    """
    for one in subscriptions:
        if one.wants(recorded) and (replay is not None or recorded.sequence > one.after_sequence):
            delivery_id = uuid5(replay or one.id, str(recorded.id))
            yield Queued(delivery_id, one.id, str(recorded.id), recorded.type, recorded.sequence)


def _set(values: Any) -> Any:
    return None if values is None else frozenset(values)


def _organization(recorded: AnyRecorded) -> UUID | None:
    after = recorded.after
    return after.organization_id if isinstance(after, Deployment) else after.specification.organization_id


def _model(recorded: AnyRecorded) -> str:
    after = recorded.after
    return after.wish.template.model if isinstance(after, Deployment) else after.specification.model
