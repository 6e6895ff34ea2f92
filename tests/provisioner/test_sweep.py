"""The last look at a released instance: what was listed late goes, once, and nothing else is touched."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from services.provisioner.known import KnownInstances
from services.provisioner.provider import TryAgain
from services.provisioner.reconcile import Reconcile
from shared.lifecycle import events as e
from tests.provisioner.fake_provider import Group
from tests.provisioner.stage import Stage


@pytest.fixture
def reconcile(stage: Stage) -> Reconcile:
    known = KnownInstances(stage.connection)
    return Reconcile(stage.journal, stage.provider, known, stage.settings)


async def _released(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty
    stage.provider.calls.clear()


def _leave(stage: Stage) -> None:
    """A group and a volume whose tags were listed only after the release."""
    stage.provider.groups["group-late"] = Group(stage.instance_id, "zone-1", time.monotonic())
    stage.provider.volumes["volume-late"] = ("zone-1", "server-1")
    stage.provider.tagged_volumes["volume-late"] = stage.instance_id


async def test_what_was_listed_after_the_release_goes_once_that_has_settled(stage: Stage, reconcile: Reconcile) -> None:
    await _released(stage)
    _leave(stage)
    await reconcile()
    assert not stage.provider.empty
    await asyncio.sleep(stage.settings.settle_seconds)
    await reconcile()
    assert stage.provider.empty


async def test_a_released_instance_is_looked_at_once_by_each_process(stage: Stage, reconcile: Reconcile) -> None:
    await _released(stage)
    await asyncio.sleep(stage.settings.settle_seconds)
    await reconcile()
    await reconcile()
    assert stage.provider.calls.count("release_network") == 1
    assert stage.provider.calls.count("find_volumes") == 1


async def test_a_look_that_failed_is_made_again(stage: Stage, reconcile: Reconcile) -> None:
    await _released(stage)
    _leave(stage)
    await asyncio.sleep(stage.settings.settle_seconds)
    stage.provider.fail("release_network", TryAgain("cloud_error", "not now"))
    await reconcile()
    assert not stage.provider.empty
    await reconcile()
    assert stage.provider.empty


async def test_the_journal_is_read_again_right_before_deleting(stage: Stage, reconcile: Reconcile) -> None:
    await _released(stage)
    _leave(stage)
    await asyncio.sleep(stage.settings.settle_seconds)

    async def known_meanwhile() -> None:
        await stage.happened(e.SecurityGroupFound, server_id="server-1", security_group_id="group-late")

    stage.provider.after["find_volumes"] = known_meanwhile
    await reconcile()
    assert "delete_volume" not in stage.provider.calls
    assert "release_network" not in stage.provider.calls
    await stage.deliver(e.SecurityGroupFound)
    assert stage.provider.empty


async def test_a_live_or_releasing_instance_is_left_alone(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.happened(e.SshInstallStarted, attempt=1)
    stage.provider.calls.clear()
    await reconcile()
    await stage.terminated()
    await asyncio.sleep(stage.settings.settle_seconds)
    await reconcile()
    assert "release_network" not in stage.provider.calls
    assert len(stage.provider.groups) == 1


async def test_an_instance_that_was_released_long_ago_costs_no_call(
    stage: Stage, reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _released(stage)
    monkeypatch.setattr("services.provisioner.sweep.now", lambda: datetime.now(UTC) + timedelta(days=2))
    await reconcile()
    assert stage.provider.calls == ["tagged_servers"]
