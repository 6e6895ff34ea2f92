"""An event from the stream, and which clients get it."""

import asyncio
import json
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never
from uuid import UUID

from shared.bus.marks import Mark
from shared.deployments.deployment import Deployment
from shared.deployments.description import DeploymentDescription
from shared.deployments.words import in_words
from shared.description import Description
from shared.journal.recorded import AnyRecorded, Recorded, RecordedDeployment, UnknownDeploymentEvent, UnknownEvent
from shared.lifecycle.instance import Instance


@dataclass(frozen=True)
class Published:
    """An event from the stream: `data` is its CloudEvents JSON, byte for byte."""

    recorded: AnyRecorded
    data: bytes
    mark: Mark

    @cached_property
    def described(self) -> bytes:
        """`data` with `data.description`: what is after the event, as it was when it happened.

        Of a deployment also with `data.words`: what happened and why, for people.
        """
        body = json.loads(self.data)
        description = _description(self.recorded)
        body["data"]["description"] = description.model_dump(mode="json")
        if isinstance(self.recorded, RecordedDeployment):
            body["data"]["words"] = in_words(self.recorded.event)
        return json.dumps(body).encode()


@dataclass(frozen=True)
class Interest:
    """The organisation whose events a client gets (None: any), and the one instance or deployment (None: all)."""

    organization_id: UUID | None = None
    of: UUID | None = None

    def covers(self, found: Instance | Deployment) -> bool:
        its = found.organization_id if isinstance(found, Deployment) else found.specification.organization_id
        return self.organization_id in (None, its) and self.of in (None, found.id)


class Subscription:
    """Events that one client has not been sent yet. A client that is too far behind is disconnected, and resumes."""

    def __init__(self, interest: Interest, max_backlog: int) -> None:
        self._interest = interest
        self._backlog: asyncio.Queue[Published | None] = asyncio.Queue(max_backlog + 1)
        self._max_backlog = max_backlog
        self._closed = False

    def offer(self, published: Published) -> None:
        if self._closed or not self._interest.covers(published.recorded.after):
            return
        if self._backlog.qsize() >= self._max_backlog:
            self.close()
        else:
            self._backlog.put_nowait(published)

    def close(self) -> None:
        """End it after what is already waiting."""
        if not self._closed:
            self._closed = True
            self._backlog.put_nowait(None)

    @property
    def idle(self) -> bool:
        """Nothing waits to be sent."""
        return self._backlog.empty()

    async def next(self) -> Published | None:
        """The next event; None if it is closed."""
        return await self._backlog.get()


def _description(recorded: AnyRecorded) -> Description | DeploymentDescription:
    match recorded:
        case Recorded() | UnknownEvent():
            return Description.of(recorded.instance, recorded.instance.updated_at)
        case RecordedDeployment() | UnknownDeploymentEvent():
            return DeploymentDescription.of(recorded.deployment, recorded.deployment.updated_at)
        case _:
            assert_never(recorded)
