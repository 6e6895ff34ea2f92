"""Creating a server: exactly one claims the instance, whatever fails, repeats or overlaps."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncssh
import pytest

from services.provisioner.action_context import LONGEST_TEXT
from services.provisioner.actions.create import choices
from services.provisioner.provider import Power, Rejected, Silent, TryAgain
from shared.bus.lease import LeaseLost
from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Findings, Wish
from shared.offers.instance_types import InstanceType
from tests.lifecycle import facts as f
from tests.provisioner.fake_provider import ABLE, Delays
from tests.provisioner.stage import Stage, a_lease


class Crashed(BaseException):
    """The process ends here, before it can record anything."""


async def test_a_requested_instance_gets_a_server_that_is_off(stage: Stage) -> None:
    await stage.requested(zones=("zone-2",), volume_gb=300)
    await stage.deliver(e.InstanceRequested)
    (created,) = await stage.events(e.InstanceCreated)
    assert (created.zone, created.instance_type) == ("zone-2", "L4-1-24G")
    assert stage.provider.alive == [created.server_id]
    assert (await stage.provider.get_server("zone-2", created.server_id)).power is Power.OFF  # type: ignore[union-attr]


async def test_a_server_is_made_in_a_group_that_is_on_record_and_lets_nothing_in(stage: Stage) -> None:
    async def look() -> None:
        (group_id,) = (await stage.instance()).resources.security_group_ids
        assert group_id in stage.provider.groups

    stage.provider.before["create_server"] = look
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.group_of("server-1") == "group-1"
    assert not stage.provider.opened
    assert [found.server_id for found in await stage.events(e.SecurityGroupFound)] == [None]


async def test_all_orders_of_a_zone_share_a_group_and_all_groups_go_with_the_instance(stage: Stage) -> None:
    stage.provider.delays = Delays(group_tags=60)
    stage.provider.out_of_stock = {("zone-1", "L4-1-24G"), ("zone-1", "H100-1-80G")}
    await stage.requested(zones=("zone-1", "zone-2"), instance_types=("L4-1-24G", "H100-1-80G"))
    await stage.deliver(e.InstanceRequested)
    assert [group.zone for group in stage.provider.groups.values()] == ["zone-1", "zone-2"]
    assert stage.provider.group_of("server-1") == "group-2"
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_the_next_order_is_made_in_a_new_group_when_somebody_has_deleted_the_first(stage: Stage) -> None:
    async def deleted() -> None:
        stage.provider.groups.clear()

    stage.provider.before["create_server"] = deleted
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.group_of("server-1") == "group-2"
    assert (await stage.instance()).resources.security_group_ids == ("group-1", "group-2")


async def test_nothing_lies_between_a_look_for_servers_and_the_first_order(stage: Stage) -> None:
    """Then two overlapping holders seldom order twice."""
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.calls[-2:] == ["find_servers", "create_server"]


async def test_a_refused_group_is_a_refusal_of_its_zone(stage: Stage) -> None:
    stage.provider.fail("make_security_group", Rejected("quota_exceeded", "too many groups"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert (await stage.instance()).zone == "zone-2"


async def test_whoever_may_make_no_group_at_all_is_told_at_once(stage: Stage) -> None:
    stage.provider.fail("make_security_group", Rejected("permission_denied", "the API key may not do this"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (failed,) = await stage.events(e.ProvisioningFailed)
    assert failed.code == "permission_denied"
    assert stage.provider.calls.count("create_server") == 0


async def test_without_ports_to_open_no_group_is_made(stage: Stage) -> None:
    stage.provider.capabilities = replace(ABLE, ports=False)
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert await stage.told() == ["InstanceRequested", "InstanceCreated"]


async def test_the_default_zone_is_the_providers_first(stage: Stage) -> None:
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert (await stage.instance()).zone == "zone-1"


async def test_the_machine_is_told_its_host_key_and_our_client_key(stage: Stage) -> None:
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (machine,) = stage.provider.machines.values()
    head, _, body = machine.order.cloud_init.partition(b"\n")
    document = json.loads(body)
    assert head == b"#cloud-config"
    told = asyncssh.import_private_key(document["ssh_keys"]["ed25519_private"])
    assert told.export_public_key().decode().split()[:2] == stage.shell.host_key.split()
    assert document["ssh_keys"]["ed25519_public"] == stage.shell.host_key
    key = stage.secrets.ssh_client_key().public
    assert document["ssh_authorized_keys"] == [key]
    (kept,) = document["write_files"]
    assert (kept["path"], kept["append"]) == ("/root/.ssh/instance_keys", True)
    assert kept["content"].splitlines() == ["", key]
    assert machine.order.client_key == key


async def test_a_trigger_delivered_twice_creates_once(stage: Stage) -> None:
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert len(stage.provider.machines) == 1
    assert (await stage.told()).count("InstanceCreated") == 1


async def test_the_next_choice_is_taken_when_one_is_out_of_stock(stage: Stage) -> None:
    stage.provider.out_of_stock = {("zone-1", "L4-1-24G"), ("zone-1", "H100-1-80G")}
    await stage.requested(zones=("zone-1", "zone-2"), instance_types=("L4-1-24G", "H100-1-80G"))
    await stage.deliver(e.InstanceRequested)
    delayed = await stage.events(e.ActionDelayed)
    assert [(event.code, event.number) for event in delayed] == [("out_of_stock", 1), ("out_of_stock", 2)]
    instance = await stage.instance()
    assert (instance.zone, instance.instance_type) == ("zone-2", "L4-1-24G")


async def test_out_of_stock_everywhere_fails_with_a_reason_after_its_tries(stage: Stage) -> None:
    stage.provider.out_of_stock = {("zone-1", "L4-1-24G"), ("zone-2", "L4-1-24G")}
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    instance = await stage.instance()
    assert instance.status is Status.PROVISIONING_FAILED
    assert instance.error is not None
    assert instance.error.code == "out_of_stock"
    assert "Creating the server failed" in instance.error.message
    assert stage.provider.calls.count("create_server") == 2 * stage.settings.launch_tries


async def test_the_budget_survives_a_crash(stage: Stage) -> None:
    stage.provider.fail("create_server", TryAgain("internal", "oops"), TryAgain("internal", "oops"), Crashed())
    stage.with_settings(launch_tries=2)
    await stage.requested(zones=("zone-1",))
    stage.provider.fail("find_servers", TryAgain("internal", "oops"), Crashed())
    with pytest.raises(Crashed):
        await stage.deliver(e.InstanceRequested)
    assert (await stage.instance()).failed_tries == {Action.CREATE: 1}
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert (await stage.instance()).status is Status.PROVISIONING_FAILED


async def test_what_the_provider_refuses_fails_at_once(stage: Stage) -> None:
    stage.provider.fail("create_server", Rejected("permission_denied", "grant it"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert (error.code, "grant it" in error.message) == ("permission_denied", True)
    assert stage.provider.calls.count("create_server") == 1


@pytest.mark.parametrize("code", ["unknown_instance_type", "unknown_zone", "image_not_found", "quota_exceeded"])
async def test_the_next_choice_is_taken_when_one_is_refused(stage: Stage, code: str) -> None:
    stage.provider.not_sold = {("zone-1", "L4-1-24G"): Rejected(code, "not here")}
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (delayed,) = await stage.events(e.ActionDelayed)
    assert (delayed.code, delayed.reason) == (code, "L4-1-24G in zone-1: not here")
    assert (await stage.instance()).zone == "zone-2"


async def test_when_every_choice_is_refused_it_fails_with_the_reason_of_each(stage: Stage) -> None:
    stage.provider.not_sold = {
        ("zone-1", "L4-1-24G"): Rejected("unknown_instance_type", "not sold"),
        ("zone-2", "L4-1-24G"): Rejected("quota_exceeded", "ask for more"),
    }
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "quota_exceeded"
    assert error.message.endswith("L4-1-24G in zone-1: not sold; L4-1-24G in zone-2: ask for more")
    assert stage.provider.calls.count("create_server") == 2


async def test_a_choice_that_is_only_out_of_stock_is_tried_again_though_the_other_is_refused(stage: Stage) -> None:
    stage.provider.out_of_stock = {("zone-1", "L4-1-24G")}
    stage.provider.not_sold = {("zone-2", "L4-1-24G"): Rejected("unknown_instance_type", "not sold")}

    async def restocked() -> None:
        stage.provider.out_of_stock.clear()

    await stage.requested()
    stage.provider.after["create_server"] = restocked
    await stage.deliver(e.InstanceRequested)
    assert (await stage.instance()).zone == "zone-1"
    assert [event.code for event in await stage.events(e.ActionDelayed)] == ["out_of_stock", "out_of_stock"]


@pytest.mark.parametrize(
    ("wanted", "code"), [({"provider": "nimbus"}, "unknown_provider"), ({"zones": ("moon-1",)}, "unknown_zone")]
)
async def test_what_nobody_here_can_create_fails_with_a_reason(
    stage: Stage, wanted: dict[str, object], code: str
) -> None:
    await stage.requested(**wanted)
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == code
    assert "create_server" not in stage.provider.calls


async def test_a_surprise_is_told_and_tried_again(stage: Stage) -> None:
    stage.provider.fail("find_servers", ZeroDivisionError("who would have thought"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (delayed,) = await stage.events(e.ActionDelayed)
    assert (delayed.code, "who would have thought" in delayed.reason) == ("unexpected", True)
    assert (await stage.instance()).resources.server_id is not None


async def test_a_surprise_that_quotes_secrets_is_told_without_them_and_in_short(stage: Stage) -> None:
    stage.with_settings(hf_token="hf_secret")
    key = stage.secrets.worker_api_key(stage.instance_id, 1)
    stage.provider.fail("find_servers", RuntimeError(f"{key} and hf_secret and {'x' * 1000}"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (delayed,) = await stage.events(e.ActionDelayed)
    assert delayed.reason.startswith("RuntimeError: [redacted] and [redacted] and x")
    assert len(delayed.reason) == LONGEST_TEXT


async def test_an_answer_that_got_lost_does_not_make_a_second_server(stage: Stage) -> None:
    stage.provider.delays = Delays(tags=0.15)
    stage.provider.fail("create_server", TryAgain("timeout", "no answer"), when="after")
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert len(stage.provider.machines) == 1
    assert (await stage.instance()).resources.server_id == "server-1"


async def test_a_crash_between_the_call_and_its_record_does_not_make_a_second_server(stage: Stage) -> None:
    stage.provider.delays = Delays(tags=0.15)
    stage.provider.fail("create_server", Crashed(), when="after")
    await stage.requested()
    with pytest.raises(Crashed):
        await stage.deliver(e.InstanceRequested)
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert stage.provider.alive == ["server-1"]
    assert (await stage.instance()).resources.server_id == "server-1"


async def test_an_adopted_server_is_told_what_it_boots_with_before_it_claims(stage: Stage) -> None:
    stage.provider.fail("create_server", TryAgain("timeout", "no answer"), when="after")
    await stage.requested()
    told = asyncio.Event()

    async def untold() -> None:
        machine = stage.provider.machines["server-1"]
        assert (await stage.instance()).resources.server_id is None
        machine.cloud_init = b""
        told.set()

    stage.provider.before["set_cloud_init"] = untold
    await stage.deliver(e.InstanceRequested)
    assert told.is_set()
    assert stage.provider.machines["server-1"].cloud_init.startswith(b"#cloud-config")
    assert (await stage.instance()).resources.server_id == "server-1"


async def test_a_redelivery_trusts_an_empty_list_only_after_the_settling_time(stage: Stage) -> None:
    await stage.requested()
    began = asyncio.get_running_loop().time()
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert asyncio.get_running_loop().time() - began >= stage.settings.settle_seconds
    assert stage.provider.calls.index("create_server") > 2


async def test_where_nothing_was_ordered_yet_a_look_that_fails_keeps_no_launch_waiting(stage: Stage) -> None:
    stage.provider.fail("find_servers", Silent("machine_unreachable", "the desk is off"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.calls == ["instance_types", "make_security_group", "find_servers", "create_server"]
    assert await stage.told() == ["InstanceRequested", "SecurityGroupFound", "InstanceCreated"]


async def test_after_an_order_whose_answer_was_lost_who_is_silent_is_waited_for(stage: Stage) -> None:
    stage.provider.fail("create_server", TryAgain("timeout", "no answer"), when="after")
    stage.provider.after["create_server"] = partial(_falls_silent, stage)
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert [event.code for event in await stage.events(e.ActionDelayed)] == ["timeout", "machine_unreachable"]
    assert stage.provider.alive == ["server-1"]


async def test_a_redelivered_creation_waits_for_who_is_silent(stage: Stage) -> None:
    await _falls_silent(stage)
    await stage.requested()
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert [event.code for event in await stage.events(e.ActionDelayed)] == ["machine_unreachable"]
    assert stage.provider.calls[2:4] == ["find_servers", "find_servers"]


async def _falls_silent(stage: Stage) -> None:
    stage.provider.fail("find_servers", Silent("machine_unreachable", "the desk is off"))


async def test_of_two_servers_found_one_claims_and_the_other_is_known_as_a_duplicate(stage: Stage) -> None:
    await stage.requested()
    await asyncio.gather(stage.deliver(e.InstanceRequested), stage.deliver(e.InstanceRequested))
    instance = await stage.instance()
    known = {instance.resources.server_id, *instance.resources.duplicate_server_ids}
    assert known == set(stage.provider.alive)


async def test_a_termination_before_the_call_stops_it(stage: Stage) -> None:
    await stage.requested()
    stage.provider.after["find_servers"] = stage.terminated
    await stage.deliver(e.InstanceRequested)
    assert "create_server" not in stage.provider.calls
    assert (await stage.instance()).status is Status.TERMINATED


async def test_a_creation_that_a_termination_overtook_is_recorded_and_released(stage: Stage) -> None:
    await stage.requested()
    stage.provider.after["create_server"] = stage.terminated
    await stage.deliver(e.InstanceRequested)
    assert (await stage.instance()).resources.server_id == "server-1"
    await stage.deliver(e.InstanceCreated)
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED


async def _ended(stage: Stage) -> None:
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert (await stage.instance()).status is Status.TERMINATED


async def test_no_server_is_made_once_a_release_has_taken_its_group(stage: Stage) -> None:
    await stage.requested()
    stage.provider.before["create_server"] = partial(_ended, stage)
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.calls.count("create_server") == 1
    assert not stage.provider.machines
    assert stage.provider.empty


async def test_a_server_made_after_the_instance_was_terminated_is_released_too(stage: Stage) -> None:
    stage.provider.capabilities = replace(ABLE, ports=False)
    await stage.requested()
    stage.provider.before["create_server"] = partial(_ended, stage)
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.alive == ["server-1"]
    await stage.deliver(e.InstanceCreated)
    assert stage.provider.empty
    assert (await stage.instance()).resources.released


async def test_a_lost_lease_makes_no_further_call_but_what_is_true_is_recorded(stage: Stage) -> None:
    await stage.requested()
    lease = a_lease()

    async def lost() -> None:
        await lease.surrender()

    stage.provider.after["create_server"] = lost
    await stage.deliver(e.InstanceRequested, lease=lease)
    assert (await stage.instance()).resources.server_id == "server-1"


async def test_a_lease_lost_before_the_call_stops_it(stage: Stage) -> None:
    await stage.requested()
    lease = a_lease()

    async def lost() -> None:
        await lease.surrender()

    stage.provider.after["find_servers"] = lost
    with pytest.raises(LeaseLost):
        await stage.deliver(e.InstanceRequested, lease=lease)
    assert "create_server" not in stage.provider.calls
    assert await stage.events(e.InstanceCreated) == []


async def test_the_price_of_the_chosen_type_is_recorded(stage: Stage) -> None:
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (created,) = await stage.events(e.InstanceCreated)
    assert (created.hourly_price, created.currency) == (0.75, "EUR")


async def test_a_price_list_that_cannot_be_read_keeps_no_launch_waiting(stage: Stage) -> None:
    stage.provider.fail("instance_types", TryAgain("cloud_error", "the cloud failed"))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    (created,) = await stage.events(e.InstanceCreated)
    assert created.hourly_price is None
    assert await stage.events(e.ActionDelayed) == []


async def test_of_any_type_the_cheapest_that_is_in_stock_is_taken(stage: Stage) -> None:
    stage.provider.out_of_stock = {("zone-1", "L4-1-24G"), ("zone-2", "L4-1-24G")}
    await stage.requested(instance_types=())
    await stage.deliver(e.InstanceRequested)
    instance = await stage.instance()
    assert (instance.zone, instance.instance_type, instance.hourly_price) == ("zone-2", "H100-1-80G", 2.73)
    delayed = await stage.events(e.ActionDelayed)
    assert [event.reason for event in delayed] == [
        "L4-1-24G is out of stock in zone-1",
        "L4-1-24G is out of stock in zone-2",
    ]


async def test_any_type_where_none_is_offered_fails_and_says_so(stage: Stage) -> None:
    stage.provider.offered = ()
    await stage.requested(instance_types=(), zones=("zone-2",))
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "nothing_offered"


async def test_any_type_where_none_may_hold_the_weights_fails_and_says_how_much_they_need(stage: Stage) -> None:
    stage.provider.offered = (offer("small", 0.5, memory=24),)
    await stage.requested(instance_types=(), gpu_memory_gb=145.4)
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "nothing_offered"
    assert "145.4 GB" in error.message
    assert "create_server" not in stage.provider.calls


async def test_what_certainly_had_no_effect_needs_no_settling(stage: Stage) -> None:
    stage.with_settings(settle_seconds=60.0)
    stage.provider.fail("create_server", TryAgain("rate_limited", "too many requests", had_no_effect=True))
    await stage.requested()
    await stage.deliver(e.InstanceRequested)
    assert stage.provider.calls.count("find_servers") == 2
    assert len(stage.provider.machines) == 1


async def test_an_unknown_provider_fails_a_launch_at_once(stage: Stage) -> None:
    await stage.requested(provider="elsewhere")
    await stage.deliver(e.InstanceRequested)
    error = (await stage.instance()).error
    assert error is not None
    assert error.code == "unknown_provider"
    assert "scaleway" in error.message


def offer(
    name: str,
    price: float | None,
    *,
    gpus: int = 1,
    shortage: tuple[str, ...] = (),
    memory: float | None = None,
) -> InstanceType:
    return InstanceType(
        name=name,
        zones=("zone-1", "zone-2"),
        gpus=gpus,
        gpu_memory_gb=memory,
        hourly_price=price,
        availability=dict.fromkeys(shortage, "shortage"),
    )


def wanting(**changes: Any) -> tuple[Wish, Findings]:
    asked = f.asked(**{"instance_types": (), **changes})
    return asked["specification"], asked["findings"]


def test_any_type_means_the_cheapest_first_and_where_it_is_short_last() -> None:
    offered = [offer("dear", 3.0), offer("unpriced", None), offer("cheap", 1.0, shortage=("zone-1",))]
    assert choices(*wanting(zones=("zone-2", "zone-1")), ("zone-1",), offered) == [
        ("zone-2", "cheap"),
        ("zone-2", "dear"),
        ("zone-1", "dear"),
        ("zone-2", "unpriced"),
        ("zone-1", "unpriced"),
        ("zone-1", "cheap"),
    ]


def test_any_type_means_one_with_gpus_in_a_zone_that_is_used() -> None:
    offered = [offer("without", 0.1, gpus=0), offer("with", 1.0)]
    assert choices(*wanting(), ("zone-1", "zone-3"), offered) == [("zone-1", "with")]


def test_any_type_means_one_with_memory_for_the_weights_and_one_of_unknown_memory_last() -> None:
    offered = [
        offer("small", 0.5, memory=24),
        offer("unknown", 0.1),
        offer("two", 1.5, gpus=2, memory=24, shortage=("zone-1",)),
        offer("large", 3.0, memory=80),
    ]
    assert choices(*wanting(gpu_memory_gb=48.0, zones=("zone-1",)), (), offered) == [
        ("zone-1", "large"),
        ("zone-1", "two"),
        ("zone-1", "unknown"),
    ]
    assert choices(*wanting(zones=("zone-1",)), (), offered)[0] == ("zone-1", "unknown")


def test_any_type_means_none_dearer_than_the_organisation_had_left() -> None:
    offered = [offer("dear", 3.0), offer("free", None), offer("cheap", 1.0)]
    wanted = wanting(zones=("zone-1",), max_hourly_price=2.99)
    assert choices(*wanted, (), offered) == [("zone-1", "cheap"), ("zone-1", "free")]


def test_named_types_are_tried_whatever_the_weights_need() -> None:
    wanted = wanting(gpu_memory_gb=48.0, zones=("zone-1",), instance_types=("small",))
    assert choices(*wanted, (), [offer("small", 0.5, memory=24)]) == [("zone-1", "small")]


def test_types_that_are_named_are_tried_in_their_order_though_nobody_offers_them() -> None:
    wanted = wanting(zones=("zone-2",), instance_types=("dear", "cheap"))
    assert choices(*wanted, ("zone-1",), [offer("cheap", 1.0)]) == [("zone-2", "dear"), ("zone-2", "cheap")]


@pytest.mark.parametrize("named", [("L4-1-24G", "H100-1-80G"), ()])
async def test_a_redelivered_creation_has_the_tries_of_all_its_choices_from_the_start(
    stage: Stage, named: tuple[str, ...]
) -> None:
    await stage.requested(instance_types=named)
    for number in range(1, stage.settings.launch_tries + 2):
        await stage.happened(
            e.ActionDelayed,
            action=Action.CREATE,
            attempt=1,
            code="out_of_stock",
            reason="sold out",
            number=number,
            next_try_at=datetime.now(UTC),
        )
    stage.provider.fail("find_servers", TryAgain("cloud_error", "the cloud failed"))
    await stage.deliver(e.InstanceRequested, redelivered=True)
    assert (await stage.instance()).resources.server_id == "server-1"
