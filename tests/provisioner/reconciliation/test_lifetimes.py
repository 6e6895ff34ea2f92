"""`max_lifetime`: a serving instance is drained, a starting or kept one is terminated, an ending one is left alone."""

from typing import Any

import pytest

from services.provisioner.provider import TryAgain
from shared.lifecycle import events as e
from shared.lifecycle.decide import drain
from shared.lifecycle.status import Status
from tests.provisioner.reconciling import Clock, a_reconcile
from tests.provisioner.stage import Stage

LIMIT_S = 3600


async def _brought_to(stage: Stage, status: Status, **specification: Any) -> None:
    """Records the events that lead to this status. The cloud is not involved."""
    await stage.launched(max_lifetime=LIMIT_S, **specification)
    match status:
        case Status.INSTALLING:
            await stage.happened(e.SshInstallStarted, attempt=1)
        case Status.STARTING:
            await stage.happened(e.SshInstallCompleted, attempt=1)
        case Status.READY | Status.UNAVAILABLE | Status.DRAINING:
            await stage.happened(e.InstanceReady, attempt=1)
        case Status.STARTUP_FAILED:
            await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
        case Status.FAILED:
            await stage.happened(e.InstanceFailed, code="too_long_unavailable", message="for an hour")
        case Status.TERMINATING:
            await stage.terminated()
    if status is Status.UNAVAILABLE:
        await stage.happened(e.HealthLost, attempt=1, outage=1, reason="refused")
    if status is Status.DRAINING:
        await stage.intended(drain)
    assert (await stage.instance()).status is status


@pytest.mark.parametrize(
    ("status", "after"),
    [
        (Status.BOOTING, Status.TERMINATING),
        (Status.INSTALLING, Status.TERMINATING),
        (Status.STARTING, Status.TERMINATING),
        (Status.READY, Status.DRAINING),
        (Status.UNAVAILABLE, Status.DRAINING),
        (Status.DRAINING, Status.DRAINING),
        (Status.TERMINATING, Status.TERMINATING),
        (Status.STARTUP_FAILED, Status.STARTUP_FAILED),
        (Status.FAILED, Status.FAILED),
    ],
)
async def test_who_has_reached_its_limit_ends_in_the_way_of_its_status(
    stage: Stage, status: Status, after: Status
) -> None:
    await _brought_to(stage, status)
    clock = Clock()
    clock.passes(LIMIT_S)
    report = await a_reconcile(stage, clock)()
    instance = await stage.instance()
    assert instance.status is after
    assert report.expired == ((instance.id,) if after is not status else ())
    assert [event.limit_seconds for event in await stage.events(e.LifetimeLimitReached)] == [LIMIT_S] * (
        after is not status
    )


async def test_an_instance_that_still_waits_for_its_server_ends_too(stage: Stage) -> None:
    await stage.requested(max_lifetime=LIMIT_S)
    clock = Clock()
    clock.passes(LIMIT_S)
    await a_reconcile(stage, clock)()
    assert (await stage.instance()).status is Status.TERMINATING


async def test_one_that_is_kept_for_inspection_is_not_kept_for_longer_than_it_may_live(stage: Stage) -> None:
    await _brought_to(stage, Status.STARTUP_FAILED, keep_for_inspection=True)
    clock = Clock()
    clock.passes(LIMIT_S)
    report = await a_reconcile(stage, clock)()
    assert report.expired == (stage.instance_id,)
    await stage.deliver(e.LifetimeLimitReached)
    assert (await stage.instance()).status is Status.TERMINATED
    assert stage.provider.empty


async def test_before_its_limit_and_without_one_nothing_ends(stage: Stage) -> None:
    await _brought_to(stage, Status.READY)
    clock = Clock()
    clock.passes(LIMIT_S - 30)
    assert (await a_reconcile(stage, clock)()).expired == ()
    assert (await stage.instance()).status is Status.READY


async def test_without_a_limit_an_instance_lives_on(stage: Stage) -> None:
    await stage.launched()
    clock = Clock()
    clock.passes(10 * 365 * 86400)
    assert (await a_reconcile(stage, clock)()).expired == ()
    assert (await stage.instance()).status is Status.BOOTING


async def test_a_life_begins_with_its_request_whatever_happens_later(stage: Stage) -> None:
    await _brought_to(stage, Status.READY)
    clock = Clock()
    clock.passes(LIMIT_S - 30)
    await stage.happened(e.HealthLost, occurred_at=clock.now(), attempt=1, outage=1, reason="refused")
    clock.passes(30)
    assert (await a_reconcile(stage, clock)()).expired == (stage.instance_id,)


async def test_a_limit_is_reached_once_and_by_two_processes_too(stage: Stage) -> None:
    await _brought_to(stage, Status.READY)
    clock = Clock()
    clock.passes(LIMIT_S)
    for _ in range(2):
        await a_reconcile(stage, clock)()
    assert len(await stage.events(e.LifetimeLimitReached)) == 1


async def test_a_cloud_that_does_not_answer_prolongs_no_life(stage: Stage) -> None:
    await _brought_to(stage, Status.READY)
    stage.provider.fail("tagged_servers", TryAgain("cloud_error", "not now"))
    clock = Clock()
    clock.passes(LIMIT_S)
    report = await a_reconcile(stage, clock)()
    assert report.expired == (stage.instance_id,)
    assert report.errors == ("list of servers: cloud_error: not now",)
