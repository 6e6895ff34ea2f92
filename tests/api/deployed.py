"""Deployments of a running api, and what a scaler records of them."""

from typing import Any
from uuid import UUID

from shared.clock import CLOCK
from shared.deployments import events as e
from shared.deployments.deployment import Replica
from shared.journal.deployments import DeploymentJournal
from tests.api.stage import RunningApi, Stage


def deployments(stage: Stage) -> DeploymentJournal:
    return DeploymentJournal(stage.connection, actor="test", source="/coldstart/test")


async def put(api: RunningApi, name: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await api.client.put(f"/deployments/{name}", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json())


async def added(stage: Stage, name: str, organization_id: UUID | None = None, ordinal: int = 0, **more: Any) -> Replica:
    """One replica more, as the scaler would have it; `more`: other fields of the event."""
    journal, of = deployments(stage), e.deployment_id(name, organization_id)
    deployment = await journal.load(of)
    wanted = deployment.wanted
    said: dict[str, Any] = {"deployment_id": of, "occurred_at": CLOCK.now()}
    scaled = e.DeploymentScaled(
        **said, basis=deployment.version, before=wanted, after=wanted + 1, reason="load", message="somebody asked"
    )
    deployment = await journal.record(scaled)
    fields: dict[str, Any] = {"ordinal": ordinal, "revision": deployment.revision, "generation": 1} | more
    instance_id = e.replica_id(of, fields["revision"], fields["ordinal"], fields["generation"])
    fact = e.ReplicaAdded(**said, basis=deployment.version, instance_id=instance_id, reason="scaled", **fields)
    return (await journal.record(fact)).replicas[-1]
