"""How long is waited before the next try: longer each time, at random, and never shorter than the cloud asks for."""

import time
from typing import Final

import pytest
from pydantic import SecretStr

from services.provisioner.pauses import backoff_s
from services.provisioner.provider import TryAgain
from services.provisioner.settings import ProvisionerSettings
from shared.lifecycle import events as e
from tests.provisioner.stage import MASTER, Stage

FIRST_S: Final = 2.0
LONGEST_S: Final = 60.0
ASKED_S: Final = 0.4
BUSY: Final = TryAgain("rate_limited", "too many requests", ASKED_S)


@pytest.mark.parametrize(("number", "whole_s"), [(1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (10**6, 60.0)])
def test_a_pause_doubles_up_to_the_longest_and_up_to_half_of_it_is_random(number: int, whole_s: float) -> None:
    pauses = {backoff_s(number, FIRST_S, LONGEST_S) for _ in range(100)}
    assert all(whole_s / 2 <= pause <= whole_s for pause in pauses)
    assert len(pauses) > 1


def test_a_pause_is_never_shorter_than_what_was_asked_for_even_past_the_longest() -> None:
    assert {backoff_s(1, FIRST_S, LONGEST_S, 300.0) for _ in range(100)} == {300.0}


def test_a_pause_that_is_long_enough_anyway_is_not_prolonged() -> None:
    assert all(FIRST_S / 2 <= backoff_s(1, FIRST_S, LONGEST_S, 0.1) <= FIRST_S for _ in range(100))


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
    """Says so, and does."""
    assert stage.settings.longest_backoff_seconds < ASKED_S
    assert stage.settings.longest_release_backoff_seconds < ASKED_S
    began = time.monotonic()
    await stage.deliver(trigger)
    assert time.monotonic() - began >= ASKED_S
    (delayed,) = await stage.events(e.ActionDelayed)
    assert delayed.code == BUSY.code
    assert (delayed.next_try_at - delayed.occurred_at).total_seconds() >= ASKED_S
