"""From the server's creation to open ports, one trigger after the other."""

import pytest

from services.provisioner.provider import Rejected, TryAgain
from shared.bus.lease import LeaseLost
from shared.lifecycle import events as e
from shared.lifecycle.status import Status
from tests.provisioner.fake_provider import Delays
from tests.provisioner.stage import Stage, a_lease

STEPS: list[tuple[type[e.Event], type[e.Event], str]] = [
    (e.InstanceCreated, e.VolumeResized, "grow_volume"),
    (e.VolumeResized, e.InstanceStarted, "power_on"),
    (e.InstanceStarted, e.IpAssigned, "get_server"),
    (e.IpAssigned, e.PortsOpened, "open_ports"),
]
CHANGING = [step for step in STEPS if step[2] != "get_server"]
steps = pytest.mark.parametrize(("trigger", "done", "call"), STEPS, ids=lambda value: getattr(value, "__name__", value))
changing = pytest.mark.parametrize(
    ("trigger", "done", "call"), CHANGING, ids=lambda value: getattr(value, "__name__", value)
)


async def test_a_launch_goes_from_request_to_open_ports(stage: Stage) -> None:
    stage.provider.delays = Delays(tags=0.1, volume=0.05, power_on=0.05, address=0.05)
    await stage.launched(volume_gb=250)
    assert await stage.told() == [
        "InstanceRequested",
        "SecurityGroupFound",
        "InstanceCreated",
        "VolumeFound",
        "VolumeResized",
        "InstanceStarted",
        "IpAssigned",
        "PortsOpened",
        "SshReachable",
    ]
    instance = await stage.instance()
    assert stage.provider.grown == {"volume-1": 250}
    assert stage.provider.opened == {"server-1": (stage.settings.ssh_port, stage.settings.worker_port)}
    assert instance.resources.security_group_ids == ("group-1",)
    assert (instance.status, instance.progress_percent, instance.ip_address) == (Status.BOOTING, 50, "127.0.0.1")


@steps
async def test_a_step_delivered_twice_is_done_once(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    await stage.deliver(trigger)
    calls = stage.provider.calls.count(call)
    await stage.deliver(trigger, redelivered=True)
    assert stage.provider.calls.count(call) == calls
    assert len(await stage.events(done)) == 1


@steps
async def test_a_step_that_fails_once_says_so_and_is_tried_again(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, TryAgain("transient_state", "not now"))
    await stage.deliver(trigger)
    (delayed,) = await stage.events(e.ActionDelayed)
    assert (delayed.code, delayed.reason, delayed.number) == ("transient_state", "not now", 1)
    assert delayed.next_try_at > delayed.occurred_at
    assert len(await stage.events(done)) == 1


@steps
async def test_a_step_whose_tries_are_spent_fails_the_instance_with_its_name_and_the_reason(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, *[TryAgain("transient_state", "not now")] * 9)
    await stage.deliver(trigger)
    (failed,) = await stage.events(e.ProvisioningFailed)
    assert (failed.code, "not now" in failed.message) == ("transient_state", True)
    assert "failed: gave up after 3 tries" in failed.message
    assert not await stage.events(done)


@steps
async def test_a_step_past_its_deadline_fails_the_instance(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, *[TryAgain("transient_state", "not now")] * 2)
    await stage.deliver(trigger, age_s=stage.settings.launch_deadline_seconds)
    (failed,) = await stage.events(e.ProvisioningFailed)
    assert "gave up after 20 s; the last try: not now" in failed.message
    assert not await stage.events(done)


@steps
@pytest.mark.parametrize("redelivered", [False, True])
async def test_a_step_whose_deadline_passed_while_nobody_held_it_is_still_tried_twice(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str, *, redelivered: bool
) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, TryAgain("transient_state", "not now"))
    await stage.deliver(trigger, redelivered=redelivered, age_s=1e6)
    assert len(await stage.events(e.ActionDelayed)) == 1
    assert len(await stage.events(done)) == 1


@changing
async def test_a_step_that_the_provider_refuses_fails_at_once(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    stage.provider.fail(call, Rejected("permissions_denied", "grant it"))
    await stage.deliver(trigger)
    (failed,) = await stage.events(e.ProvisioningFailed)
    assert failed.code == "permissions_denied"
    assert not await stage.events(done)


@changing
async def test_a_termination_right_before_a_call_stops_it_and_releases(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    before = stage.provider.calls.count(call)
    if call == "power_on":  # the first call that this step makes
        await stage.terminated()
    else:
        stage.provider.before["get_server"] = stage.terminated
    await stage.deliver(trigger)
    assert stage.provider.calls.count(call) == before
    assert not await stage.events(done)
    assert (await stage.instance()).status is Status.TERMINATED
    assert stage.provider.empty


@changing
async def test_a_lost_lease_stops_before_the_call(
    stage: Stage, trigger: type[e.Event], done: type[e.Event], call: str
) -> None:
    await stage.launched(until=trigger)
    lease = a_lease()
    await lease.surrender()
    before = stage.provider.calls.count(call)
    with pytest.raises(LeaseLost):
        await stage.deliver(trigger, lease=lease)
    assert stage.provider.calls.count(call) == before
    assert not await stage.events(done)


async def test_a_boot_volume_that_never_comes_fails_the_instance(stage: Stage) -> None:
    stage.provider.delays = Delays(volume=60)
    await stage.launched(until=e.InstanceCreated)
    await stage.deliver(e.InstanceCreated, age_s=stage.settings.launch_deadline_seconds)
    (failed,) = await stage.events(e.ProvisioningFailed)
    assert (failed.code, "the boot volume" in failed.message) == ("timed_out", True)


async def test_an_address_that_was_due_while_nobody_looked_is_still_waited_for(stage: Stage) -> None:
    stage.with_settings(longest_backoff_seconds=5.0)
    stage.provider.delays = Delays(address=0.1)
    await stage.launched(until=e.InstanceStarted)
    await stage.deliver(e.InstanceStarted, redelivered=True, age_s=1e6)
    assert (await stage.instance()).ip_address == "127.0.0.1"


async def test_a_server_that_goes_off_before_its_address_is_powered_on_again(stage: Stage) -> None:
    await stage.launched(until=e.InstanceStarted)
    stage.provider.machines["server-1"].asked.append("off")
    await stage.deliver(e.InstanceStarted)
    assert stage.provider.machines["server-1"].asked == ["on", "off", "on"]
    assert (await stage.instance()).ip_address == "127.0.0.1"


async def test_a_server_that_is_missing_during_the_launch_is_not_taken_for_lost_at_once(stage: Stage) -> None:
    await stage.launched(until=e.InstanceStarted)
    stage.provider.lose("server-1")
    await stage.deliver(e.InstanceStarted)
    delayed = await stage.events(e.ActionDelayed)
    assert {event.code for event in delayed} == {"server_missing"}
    assert len(delayed) == stage.settings.launch_tries - 1
    assert (await stage.instance()).status is Status.PROVISIONING_FAILED


async def test_only_the_server_that_claimed_the_instance_is_powered_on(stage: Stage) -> None:
    await stage.launched(until=e.InstanceCreated)
    duplicate = await stage.provider.create_server(stage.provider.machines["server-1"].order)
    await stage.happened(e.InstanceCreated, server_id=duplicate.id, zone="zone-1", instance_type="L4-1-24G")  # type: ignore[union-attr]
    await stage.deliver(e.InstanceCreated)
    await stage.deliver(e.VolumeResized)
    assert stage.provider.machines["server-1"].asked == ["on"]
    assert stage.provider.machines["server-2"].asked == []
