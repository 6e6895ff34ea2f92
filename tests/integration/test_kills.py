"""kill -9 at every event of a launch: it still becomes ready, with one server, and nothing is recorded twice."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from shared.bus.topology import INSTALL, LAUNCH, RELEASE, WATCH, Trigger
from tests.integration.launches import MILESTONES, balanced
from tests.integration.line import AllSettings, line
from tests.integration.victim import Moment, victim

LEASE = {"lease_seconds": 1.5}
SWIFT = dict.fromkeys(("progress", "health", "api"), LEASE) | {
    "provisioner": {**LEASE, "call_timeout_seconds": 0.45, "tag_visibility_seconds": 0.4, "settle_seconds": 1.0}
}
HELD_BY: dict[str, tuple[Trigger, ...]] = {"provisioner": (LAUNCH, INSTALL, RELEASE), "health": (WATCH,)}


def acknowledged_by(service: str) -> frozenset[str]:
    """During a launch: a watch is acknowledged only when there is nothing left to watch."""
    triggers = HELD_BY.get(service, ())
    return frozenset(event.__name__ for trigger in triggers if trigger is not WATCH for event in trigger.events)


def settings_for(service: str, settings: AllSettings) -> list[BaseSettings]:
    own: BaseSettings = getattr(settings, service)
    return [own, settings.scaleway] if service == "provisioner" else [own]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("service", ["provisioner", "health", "progress", "api"])
@pytest.mark.timeout(300)
async def test_a_service_killed_at_every_event_does_not_keep_a_launch_from_ready(
    service: str, moment: Moment, tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with (
        line(tmp_path, nats_url, database_url, changes=SWIFT, without=service) as running,
        victim(
            f"services.{service}",
            settings_for(service, running.settings),
            moment=moment,
            acknowledges=acknowledged_by(service),
            nats_url=nats_url,
            folder=tmp_path,
        ) as dying,
    ):
        instance_id = await running.create_until_accepted()
        await running.heard.until(instance_id, "InstanceReady", "StartupFailed", "ProvisioningFailed", "InstanceFailed")
        await dying.service.serving()
        assert (await running.show(instance_id))["status"] == "ready"
        types = running.heard.types(instance_id)
        assert set(MILESTONES) <= set(types)
        assert set(MILESTONES) <= set(dying.killed_at) | {"InstanceReady"}
        assert not {name: count for name, count in Counter(types).items() if name in MILESTONES and count > 1}
        ids = [event["id"] for event in running.heard.of(instance_id)]
        assert len(ids) == len(set(ids))
        versions = [event["data"]["instance"]["version"] for event in running.heard.of(instance_id)]
        assert versions == list(range(1, len(versions) + 1))
        await balanced(running, instance_id)
        assert [row["version"] for row in await running.timeline(instance_id)] == versions
