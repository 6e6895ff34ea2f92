"""Changes of a live instance's server that others made: lost, stopped, restarted, readdressed. And no change."""

from dataclasses import replace

import pytest

from services.provisioner.provider import Power, TryAgain
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.lifecycle import events as e
from shared.lifecycle.decide import drain
from shared.lifecycle.status import Status
from tests.provisioner.fake_provider import Delays, FakeProvider
from tests.provisioner.reconciling import EVERY_LIST, Clock, a_reconcile
from tests.provisioner.stage import Stage

ZONE, SERVER = "zone-1", "server-1"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconcile(stage: Stage, clock: Clock) -> Reconcile:
    return a_reconcile(stage, clock)


async def _ready(stage: Stage) -> None:
    await stage.launched()
    await stage.happened(e.SshInstallCompleted, attempt=1)
    await stage.happened(e.InstanceReady, attempt=1)


async def test_a_server_is_lost_after_two_gets_a_while_apart(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await stage.launched()
    stage.provider.lose(SERVER)
    assert (await reconcile()).lost == ()
    assert (await reconcile()).lost == ()
    assert (await stage.instance()).status is Status.BOOTING
    clock.passes(stage.settings.lost_after_seconds)
    assert (await reconcile()).lost == (stage.instance_id,)
    instance = await stage.instance()
    assert instance.status is Status.FAILED
    assert instance.error is not None
    assert instance.error.code == "server_lost"


async def test_one_wrong_answer_loses_nothing(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await stage.launched()
    stage.provider.delays = Delays(tags=60)
    machine = stage.provider.machines.pop(SERVER)
    await reconcile()
    stage.provider.machines[SERVER] = machine
    clock.passes(stage.settings.lost_after_seconds)
    await reconcile()
    stage.provider.machines.pop(SERVER)
    assert (await reconcile()).lost == ()
    assert "ServerLost" not in await stage.told()


async def test_an_error_is_no_answer(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await stage.launched()
    stage.provider.lose(SERVER)
    await reconcile()
    clock.passes(stage.settings.lost_after_seconds)
    stage.provider.fail("get_server", TryAgain("cloud_error", "not now"))
    report = await reconcile()
    assert report.lost == ()
    assert report.errors == (f"instance {stage.instance_id}: cloud_error: not now",)


async def test_a_server_that_is_only_missing_from_the_list_is_not_lost(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    stage.provider.delays = Delays(tags=60)
    await stage.launched()
    await reconcile()
    clock.passes(stage.settings.lost_after_seconds)
    await reconcile()
    assert "ServerLost" not in await stage.told()


async def test_an_ending_instance_loses_nothing(stage: Stage, clock: Clock, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.terminated()
    stage.provider.lose(SERVER)
    await reconcile()
    clock.passes(stage.settings.lost_after_seconds)
    assert (await reconcile()).lost == ()
    assert "ServerLost" not in await stage.told()


async def test_a_server_that_somebody_switched_off_is_said_to_be_stopped_once(
    stage: Stage, reconcile: Reconcile
) -> None:
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == (stage.instance_id,)
    instance = await stage.instance()
    assert instance.status is Status.UNAVAILABLE
    assert not instance.server_on
    assert (await reconcile()).stopped == ()
    assert len(await stage.events(e.ServerStopped)) == 1


@pytest.mark.parametrize("reached", [(), (e.SshInstallStarted,), (e.SshInstallStarted, e.SshInstallCompleted)])
async def test_a_server_that_somebody_switched_off_during_its_launch_is_said_to_be_stopped_and_on_again(
    stage: Stage, reconcile: Reconcile, reached: tuple[type[e.Event], ...]
) -> None:
    await stage.launched()
    for fact in reached:
        await stage.happened(fact, attempt=1)
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == (stage.instance_id,)
    stopped = await stage.instance()
    assert (stopped.status, stopped.server_on) == (Status.BOOTING, False)
    await stage.provider.power_on(ZONE, SERVER)
    assert (await reconcile()).restarted == (stage.instance_id,)
    assert (await stage.instance()).server_on


@pytest.mark.parametrize("scratch_types", [set(), {"L4-1-24G"}])
async def test_a_stop_says_whether_it_has_erased_the_models(
    stage: Stage, reconcile: Reconcile, scratch_types: set[str]
) -> None:
    stage.provider.scratch_types = scratch_types
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)
    await reconcile()
    (stopped,) = await stage.events(e.ServerStopped)
    assert stopped.scratch_erased is bool(scratch_types)


async def test_a_stopped_server_that_is_on_again_is_said_to_be_restarted_once(
    stage: Stage, reconcile: Reconcile
) -> None:
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)
    await reconcile()
    await stage.provider.power_on(ZONE, SERVER)
    assert (await reconcile()).restarted == (stage.instance_id,)
    instance = await stage.instance()
    assert instance.server_on
    assert len(instance.powered) == 2
    assert (await reconcile()).restarted == ()


async def test_a_server_that_came_back_elsewhere_is_readdressed(stage: Stage, reconcile: Reconcile) -> None:
    await _ready(stage)
    stage.provider.address = "127.0.0.2"
    report = await reconcile()
    assert report.readdressed == (stage.instance_id,)
    assert (await stage.instance()).ip_address == "127.0.0.2"
    assert (await reconcile()).readdressed == ()


async def test_a_server_that_has_lost_its_address_for_a_while_is_not_readdressed(
    stage: Stage, reconcile: Reconcile
) -> None:
    await _ready(stage)
    stage.provider.delays = Delays(address=60)
    assert (await reconcile()).readdressed == ()
    assert (await stage.instance()).ip_address == "127.0.0.1"


async def test_a_list_that_is_late_is_not_believed(stage: Stage, reconcile: Reconcile) -> None:
    """The list says off. The server itself, asked for by its id, is on."""
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)

    async def on_again() -> None:
        await stage.provider.power_on(ZONE, SERVER)

    stage.provider.after["tagged_servers"] = on_again
    assert (await reconcile()).stopped == ()
    assert "ServerStopped" not in await stage.told()


async def test_a_server_that_is_as_it_should_be_costs_no_call_of_its_own(stage: Stage, reconcile: Reconcile) -> None:
    await _ready(stage)
    stage.provider.calls.clear()
    await reconcile()
    assert stage.provider.calls == EVERY_LIST


async def test_a_launch_that_has_not_switched_its_server_on_yet_is_not_stopped(
    stage: Stage, reconcile: Reconcile
) -> None:
    await stage.launched(until=e.VolumeResized)
    assert (await reconcile()).stopped == ()


async def test_a_power_on_that_failed_before_the_address_is_its_launch_s_to_mend(
    stage: Stage, reconcile: Reconcile
) -> None:
    await stage.launched(until=e.InstanceStarted)
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == ()
    await stage.deliver(e.InstanceStarted)
    assert stage.provider.machines[SERVER].asked == ["on", "off", "on"]
    assert "ServerStopped" not in await stage.told()


async def test_an_ending_that_comes_meanwhile_makes_a_stop_no_news(stage: Stage, reconcile: Reconcile) -> None:
    """Its release switches the server off."""
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)
    stage.provider.after["get_server"] = stage.terminated
    await reconcile()
    assert "ServerStopped" not in await stage.told()


async def test_a_draining_instance_s_stopped_server_stops_its_costs(stage: Stage, reconcile: Reconcile) -> None:
    await _ready(stage)
    await stage.intended(drain)
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == (stage.instance_id,)
    instance = await stage.instance()
    assert instance.status is Status.DRAINING
    assert not instance.server_on


async def _kept(stage: Stage) -> None:
    await stage.launched(keep_for_inspection=True)
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")


async def test_the_server_of_one_that_is_kept_for_inspection_is_watched_too(stage: Stage, reconcile: Reconcile) -> None:
    await _kept(stage)
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == (stage.instance_id,)
    assert not (await stage.instance()).server_on
    await stage.provider.power_on(ZONE, SERVER)
    stage.provider.address = "127.0.0.2"
    report = await reconcile()
    assert (report.restarted, report.readdressed) == ((stage.instance_id,), (stage.instance_id,))
    instance = await stage.instance()
    assert (instance.status, instance.server_on, instance.ip_address) == (Status.STARTUP_FAILED, True, "127.0.0.2")


async def test_one_that_is_kept_for_inspection_and_has_lost_its_server_is_released(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    await _kept(stage)
    stage.provider.lose(SERVER)
    await reconcile()
    clock.passes(stage.settings.lost_after_seconds)
    assert (await reconcile()).lost == (stage.instance_id,)
    assert not (await stage.instance()).server_on
    await stage.deliver(e.ServerLost)
    assert stage.provider.empty
    instance = await stage.instance()
    assert (instance.status, instance.resources.released) == (Status.STARTUP_FAILED, True)
    assert instance.error is not None
    assert instance.error.code == "startup_timeout"


async def test_a_failed_one_that_is_not_kept_is_its_release_s_alone(stage: Stage, reconcile: Reconcile) -> None:
    await stage.launched()
    await stage.happened(e.StartupFailed, attempt=1, code="startup_timeout", message="never loaded")
    await stage.provider.power_off(ZONE, SERVER)
    assert (await reconcile()).stopped == ()


async def test_a_provider_without_power_stops_and_restarts_nothing(stage: Stage, reconcile: Reconcile) -> None:
    await _ready(stage)
    stage.provider.capabilities = replace(stage.provider.capabilities, power=False)
    await stage.provider.power_off(ZONE, SERVER)
    found = await stage.provider.get_server(ZONE, SERVER)
    assert found is not None
    assert found.power is Power.OFF
    assert (await reconcile()).stopped == ()


async def test_what_another_provider_rents_out_is_not_missed_here(stage: Stage, clock: Clock) -> None:
    """Its servers are only in that provider's list."""
    await stage.launched()
    elsewhere = a_reconcile(stage, clock, FakeProvider(name="machines"))
    await elsewhere()
    clock.passes(stage.settings.lost_after_seconds)
    report = await elsewhere()
    assert report.lost == report.stopped == report.errors == ()
    assert "ServerLost" not in await stage.told()


async def test_an_answer_that_a_process_has_slept_over_is_no_news(
    stage: Stage, clock: Clock, reconcile: Reconcile
) -> None:
    """Meanwhile another reconciliation has seen the server stopped and restarted."""
    await _ready(stage)
    await stage.provider.power_off(ZONE, SERVER)

    async def sleeps() -> None:
        clock.passes(stage.settings.lease_seconds)

    stage.provider.after["get_server"] = sleeps
    assert (await reconcile()).stopped == ()
    assert "ServerStopped" not in await stage.told()
    assert (await reconcile()).stopped == (stage.instance_id,)
