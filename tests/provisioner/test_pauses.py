"""The pause before the next try: longer each time, partly random, never shorter than the cloud asks for."""

import time
from typing import Final

import pytest
from pydantic import SecretStr

from services.provisioner.provider import TryAgain
from services.provisioner.settings import ProvisionerSettings
from shared.lifecycle import events as e
from tests.provisioner.stage import MASTER, Stage

ASKED_S: Final = 0.4
BUSY: Final = TryAgain("rate_limited", "too many requests", ASKED_S)


def test_by_default_a_launch_is_tried_for_all_of_its_deadline_however_the_dice_fall() -> None:
    by_default = ProvisionerSettings(master_secret=SecretStr(MASTER))
    longest, tries = by_default.longest_backoff_seconds, by_default.launch_tries
    shortest_s = [min(longest, by_default.backoff_seconds * 2.0**number) / 2 for number in range(tries - 1)]
    assert sum(shortest_s[:-1]) < by_default.launch_deadline_seconds <= sum(shortest_s)


@pytest.mark.parametrize(
    ("trigger", "call"),
    [
        (e.InstanceRequested, "create_server"),
        (e.InstanceCreated, "grow_volume"),
        (e.VolumeResized, "power_on"),
        (e.InstanceStarted, "get_server"),
        (e.IpAssigned, "open_ports"),
    ],
)
async def test_a_launch_waits_as_long_as_the_cloud_asks_it_to(stage: Stage, trigger: type[e.Event], call: str) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, BUSY)
    await _waits(stage, trigger)


async def test_a_release_waits_as_long_as_the_cloud_asks_it_to(stage: Stage) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.fail("delete_server", BUSY)
    await _waits(stage, e.TerminationRequested)
    assert stage.provider.empty


async def _waits(stage: Stage, trigger: type[e.Event]) -> None:
    """The recorded pause is long enough, and so is the real one."""
    assert stage.settings.longest_backoff_seconds < ASKED_S
    assert stage.settings.longest_release_backoff_seconds < ASKED_S
    began = time.monotonic()
    await stage.deliver(trigger)
    assert time.monotonic() - began >= ASKED_S
    (delayed,) = await stage.events(e.ActionDelayed)
    assert delayed.code == BUSY.code
    assert (delayed.next_try_at - delayed.occurred_at).total_seconds() >= ASKED_S
