"""An api with a deployment at zero, and the part of the scaler: it hears who waits, and brings a replica up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from nats.aio.msg import Msg

from shared.deployments import decide
from shared.deployments import events as e
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent, deployment_id, replica_id
from shared.deployments.wish import DeploymentWish, Scaling, Template
from shared.journal.deployments import DeploymentJournal
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import OfDeployment
from shared.load import SUBJECT, DeploymentLoad, LoadReport
from shared.load_heard import HeardLoad
from tests.api.deployments.examples import AT
from tests.api.router.test_inference import catalogued
from tests.api.stage import MODEL, PATIENCE_S, RunningApi, Stage, until

_MOMENTS = (AT + timedelta(seconds=second) for second in count())


@dataclass
class Scaler:
    """`wakes` are the deployments for which somebody has begun to wait, in that order; `last` is what was told last."""

    load: HeardLoad
    last: dict[UUID, DeploymentLoad]
    wakes: "asyncio.Queue[UUID]" = field(default_factory=asyncio.Queue)

    async def woken(self) -> UUID:
        async with asyncio.timeout(PATIENCE_S):
            return await self.wakes.get()


@asynccontextmanager
async def listening(stage: Stage) -> AsyncGenerator[Scaler]:
    wakes: asyncio.Queue[UUID] = asyncio.Queue()
    load = HeardLoad(wakes.put_nowait)

    last: dict[UUID, DeploymentLoad] = {}

    async def hear(message: Msg) -> None:
        last.update(LoadReport.model_validate_json(message.data).deployments)
        load.hear(message.data)

    subscription = await stage.connection.subscribe(SUBJECT, cb=hear)
    await stage.connection.flush()
    try:
        yield Scaler(load, last, wakes)
    finally:
        await subscription.unsubscribe()


@dataclass
class Sleeping:
    """A deployment that the api knows."""

    stage: Stage
    api: RunningApi
    id: UUID
    name: str
    organization_id: UUID | None = None

    @property
    def journal(self) -> DeploymentJournal:
        return DeploymentJournal(self.stage.connection, actor="test", source="/coldstart/test")

    async def intend(self, judge: Any) -> Deployment:
        """`judge` is one of `shared.deployments.decide`, which takes the deployment, its id and the time."""

        def judged(existing: Deployment | None, at: datetime) -> DeploymentEvent | None:
            event: DeploymentEvent | None = judge(existing, self.id, at)
            return event

        return (await self.journal.intend(self.id, judged, intent_id=uuid4(), at=next(_MOMENTS)))[0]

    async def concludes(self, kind: Any, **fields: Any) -> Deployment:
        now = await self.journal.load(self.id)
        return await self.journal.record(kind(deployment_id=self.id, occurred_at=AT, basis=now.version, **fields))

    async def scaled_up(self) -> None:
        await self.concludes(e.DeploymentScaled, before=0, after=1, reason="woken", message="A request came.")
        await self.concludes(
            e.ReplicaAdded, ordinal=0, revision=1, generation=1, instance_id=self.instance_id, reason="scaled"
        )

    @property
    def instance_id(self) -> UUID:
        return replica_id(self.id, 1, 0, 1)

    async def ready(self, address: str) -> Instance:
        replica = OfDeployment(deployment_id=self.id, deployment_name=self.name, revision=1, ordinal=0, generation=1)
        return await self.stage.ready(
            address, instance_id=self.instance_id, replica=replica, organization_id=self.organization_id
        )

    async def known(self, **fields: Any) -> None:
        """Wait until the api knows it so."""

        async def is_known() -> bool:
            answer = await self.api.client.get("/models/resolve", params={"model": MODEL})
            found = [one for one in answer.json()["deployments"] if one["id"] == str(self.id)]
            return bool(found) and all(found[0][name] == value for name, value in fields.items())

        await until(is_known)


async def asleep(
    stage: Stage, api: RunningApi, name: str = "chat", organization_id: UUID | None = None, **scaling: Any
) -> Sleeping:
    await catalogued(api)
    wish = DeploymentWish(
        name=name,
        organization_id=organization_id,
        template=Template(model=MODEL),
        scaling=Scaling(**scaling),
    )
    sleeping = Sleeping(stage, api, deployment_id(name, organization_id), name, organization_id)
    await sleeping.intend(lambda existing, of, at: decide.put(existing, of, wish, at))
    await sleeping.known()
    return sleeping
