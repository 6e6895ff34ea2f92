"""kill -9 of each other service at every event of a deployment's life: each stage has exactly the wanted replicas."""

import json
from pathlib import Path
from typing import Final

import pytest
from nats.aio.msg import Msg

from shared.bus.topology import WATCH
from tests.api.fakes import free_port
from tests.integration.line import Changes, line
from tests.integration.test_kills import acknowledged_by, settings_for
from tests.integration.victim import Moment, type_of, victim
from tests.scaler.whole_life import LEASE, SWIFT, a_life

ACKNOWLEDGED: Final = {
    "provisioner": acknowledged_by("provisioner"),
    "health": frozenset(event.__name__ for event in WATCH.events),
}
"""In a whole life, health's watches end, too."""

ALIKE: Final = [("progress", "before"), ("api", "before")]
"""They acknowledge nothing: both moments are the same."""
STAGES: Final = {
    "DeploymentCreated",
    "DeploymentScaled (bounds)",
    "ServerLost",
    "ReplicaReplaced",
    "DeploymentChanged (changed)",
    "RolloutStarted",
    "RolloutFinished",
    "DeploymentScaled (quiet)",
    "DeploymentPaused",
    "DeploymentResumed",
    "DeploymentScaled (idle)",
    "DeploymentScaled (woken)",
    "DeploymentDeleted",
}
"""What such a life must have had."""


def named(message: Msg) -> str:
    """With its reason, if it is a deployment's."""
    data = json.loads(message.data)["data"]
    reason = data["event"].get("reason", data["event"].get("why")) if "deployment" in data else None
    return f"{type_of(message)} ({reason})" if reason else type_of(message)


@pytest.mark.parametrize(
    ("service", "moment"),
    [("provisioner", "before"), ("provisioner", "after"), ("health", "before"), ("health", "after"), *ALIKE],
)
async def test_a_service_killed_at_every_event_leaves_a_deployment_as_it_is_wanted(
    service: str, moment: Moment, tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes: Changes = {**SWIFT, "api": {**LEASE, "api_port": free_port()}}
    async with (
        line(tmp_path, nats_url, database_url, changes=changes, without=service, scaled=True) as running,
        victim(
            f"services.{service}",
            settings_for(service, running.settings),
            moment=moment,
            acknowledges=ACKNOWLEDGED.get(service, frozenset()),
            nats_url=nats_url,
            folder=tmp_path,
            named=named,
        ) as dying,
        a_life(running, nats_url, dying.told_to) as life,
    ):
        await life.led()
        await dying.killed_at_all(sorted(dying.recorded_events))
        assert await life.broken() == []
        assert set(dying.killed_at) >= STAGES
