"""kill -9 at every event of a launch: it still becomes ready, with one server, and nothing is recorded twice."""

import socket
from collections import Counter
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from shared.bus.topology import INSTALL, LAUNCH, RELEASE, Trigger
from shared.journal.recorded import Recorded
from tests.integration.launches import MILESTONES, balanced
from tests.integration.line import AllSettings, Changes, line
from tests.integration.victim import PATIENCE_S, Moment, victim

LEASE = {"lease_seconds": 1.5}
SWIFT: Changes = {
    "progress": LEASE,
    "health": LEASE,
    "provisioner": {**LEASE, "call_timeout_seconds": 0.45, "tag_visibility_seconds": 0.4, "settle_seconds": 1.0},
}
HELD_BY: dict[str, tuple[Trigger[Recorded], ...]] = {"provisioner": (LAUNCH, INSTALL, RELEASE)}
"""What a service acknowledges during a launch; health's watch ends only with the instance."""
OVERTAKEN = {"SshInstallCompleted"}
"""While its installer is dead, the worker may be seen to work first: then nobody asks for the install's own report."""


def acknowledged_by(service: str) -> frozenset[str]:
    return frozenset(event.__name__ for trigger in HELD_BY.get(service, ()) for event in trigger.events)


def a_free_port() -> int:
    """For a service that must be found again where it was."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(service: str, settings: AllSettings) -> list[BaseSettings]:
    own: BaseSettings = getattr(settings, service)
    return [own, settings.scaleway] if service == "provisioner" else [own]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("service", ["provisioner", "health", "progress", "api"])
async def test_a_service_killed_at_every_event_does_not_keep_a_launch_from_ready(
    service: str, moment: Moment, tmp_path: Path, nats_url: str, database_url: str
) -> None:
    changes = {**SWIFT, "api": {**LEASE, "api_port": a_free_port()}}
    async with (
        line(tmp_path, nats_url, database_url, changes=changes, without=service) as running,
        victim(
            f"services.{service}",
            settings_for(service, running.settings),
            moment=moment,
            acknowledges=acknowledged_by(service),
            nats_url=nats_url,
            folder=tmp_path,
        ) as dying,
    ):
        instance_id = await running.create_until_accepted(PATIENCE_S)
        await running.heard.until(instance_id, "InstanceReady", "StartupFailed", "ProvisioningFailed", "InstanceFailed")
        for milestone in set(MILESTONES) - OVERTAKEN:  # some may come late, after what was seen to work
            await running.heard.until(instance_id, milestone)
        await dying.killed_at_all(running.heard.types(instance_id))
        events = running.heard.of(instance_id)
        types = running.heard.types(instance_id)
        assert events[-1]["data"]["instance"]["status"] == "ready", types
        assert set(MILESTONES) - OVERTAKEN <= set(types)
        assert not {name for name, count in Counter(types).items() if name in MILESTONES and count > 1}
        assert len({event["id"] for event in events}) == len(events)
        versions = [event["data"]["instance"]["version"] for event in events]
        assert versions == list(range(1, len(versions) + 1))
        await balanced(running, instance_id)
        timeline = await running.timeline_up_to(instance_id, versions[-1])
        assert [row["type"] for row in timeline] == types
