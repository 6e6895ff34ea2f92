"""Opening ports: in a group that exists, for allowed addresses, whatever somebody deletes by hand."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from services.provisioner.provider import ProviderError, Rejected, TryAgain
from shared.lifecycle import events as e
from shared.lifecycle.fact import Action
from shared.lifecycle.status import Status
from tests.provisioner.fake_provider import Delays
from tests.provisioner.stage import Stage, quick


async def test_ports_are_open_to_the_ranges_of_the_settings_and_it_says_so(stage: Stage) -> None:
    stage.with_settings(source_ranges=("10.0.0.0/8", "2001:db8::/32"))
    await stage.launched(until=e.IpAssigned)
    await stage.deliver(e.IpAssigned)
    (opened,) = await stage.events(e.PortsOpened)
    assert opened.source_ranges == ("10.0.0.0/8", "2001:db8::/32")
    assert stage.provider.let_in == {"server-1": ("10.0.0.0/8", "2001:db8::/32")}


@pytest.mark.parametrize("ranges", [(), ("10.0.0.1/8",), ("everybody",)])
def test_a_range_that_is_none_keeps_the_provisioner_from_starting(ranges: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="source_ranges"):
        quick(source_ranges=ranges)


async def test_ports_are_opened_in_the_group_that_the_server_was_made_in(stage: Stage) -> None:
    await stage.launched(until=e.IpAssigned)
    assert stage.provider.group_of("server-1") == "group-1"
    await stage.deliver(e.IpAssigned)
    assert stage.provider.calls.count("make_security_group") == 1
    (opened,) = await stage.events(e.PortsOpened)
    assert opened.security_group_id == "group-1"


async def test_a_server_in_no_group_of_ours_is_put_into_one(stage: Stage) -> None:
    await stage.launched_without_a_group()
    assert stage.provider.group_of("server-1") is None
    await stage.deliver(e.IpAssigned)
    (opened,) = await stage.events(e.PortsOpened)
    assert stage.provider.group_of("server-1") == opened.security_group_id == "group-1"


async def with_a_group_that_somebody_deleted(stage: Stage) -> None:
    stage.provider.delays = Delays(group_tags=60.0)
    await stage.launched(until=e.IpAssigned)
    del stage.provider.groups["group-1"]


def test_the_ranges_are_a_json_list_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_SOURCE_RANGES", '["192.0.2.0/24"]')
    assert quick().source_ranges == ("192.0.2.0/24",)


async def test_a_group_that_somebody_deleted_is_replaced_without_a_failed_try(stage: Stage) -> None:
    await with_a_group_that_somebody_deleted(stage)
    await stage.deliver(e.IpAssigned)
    assert [found.security_group_id for found in await stage.events(e.SecurityGroupFound)] == ["group-1", "group-2"]
    (opened,) = await stage.events(e.PortsOpened)
    assert opened.security_group_id == "group-2"
    assert stage.provider.group_of("server-1") == "group-2"
    assert await stage.events(e.ActionDelayed) == []


async def test_a_group_that_is_deleted_as_soon_as_it_is_made_does_not_fail_the_launch(stage: Stage) -> None:
    await stage.launched(until=e.IpAssigned)

    async def deleted() -> None:
        del stage.provider.groups["group-1"]

    stage.provider.before["open_ports"] = deleted
    await stage.deliver(e.IpAssigned)
    (opened,) = await stage.events(e.PortsOpened)
    assert opened.security_group_id == "group-2"


async def test_a_new_group_is_used_by_the_next_try_too_and_goes_with_its_instance(stage: Stage) -> None:
    await with_a_group_that_somebody_deleted(stage)
    stage.provider.fail("open_ports", TryAgain("server_missing", "no such group"), TryAgain("cloud_error", "oops"))
    await stage.deliver(e.IpAssigned)
    (opened,) = await stage.events(e.PortsOpened)
    assert opened.security_group_id == "group-2"
    assert stage.provider.groups.keys() == {"group-2"}
    await stage.terminated()
    await stage.deliver(e.TerminationRequested)
    assert stage.provider.empty


async def test_two_holders_of_a_deleted_group_put_the_server_into_the_same_new_one(stage: Stage) -> None:
    await with_a_group_that_somebody_deleted(stage)
    met = asyncio.Barrier(2)

    async def first() -> None:
        stage.provider.before["make_security_group"] = second
        await met.wait()

    async def second() -> None:
        await met.wait()

    stage.provider.before["make_security_group"] = first
    await asyncio.gather(stage.deliver(e.IpAssigned), stage.deliver(e.IpAssigned))
    assert len(stage.provider.groups) == 2
    assert stage.provider.group_of("server-1") == "group-2"
    assert stage.provider.calls.count("make_security_group") == 3


async def test_a_server_that_is_gone_gets_no_further_group(stage: Stage) -> None:
    await stage.launched(until=e.IpAssigned)

    async def gone() -> None:
        stage.provider.lose("server-1")
        stage.provider.fail("open_ports", TryAgain("server_missing", "no such server"))

    stage.provider.before["open_ports"] = gone
    await stage.deliver(e.IpAssigned)
    assert stage.provider.groups.keys() == {"group-1"}
    assert (await stage.instance()).status is Status.PROVISIONING_FAILED


# Once the install has begun, the instance does not fail for its ports any more


async def while_it_installs(stage: Stage) -> None:
    """A machine whose port answers before the other ports are closed."""
    await stage.launched(until=e.IpAssigned)
    await stage.happened(e.SshReachable, attempt=1)
    await stage.happened(e.SshInstallStarted, attempt=1)


@pytest.mark.parametrize(
    "error", [TryAgain("cloud_error", "not now"), Rejected("permission_denied", "the API key may not do this")]
)
async def test_ports_are_opened_in_the_end_however_often_that_fails_while_the_machine_installs(
    stage: Stage, error: ProviderError
) -> None:
    await while_it_installs(stage)
    failures = 3 * stage.settings.launch_tries
    stage.provider.fail("open_ports", *[error] * failures)
    await stage.deliver(e.IpAssigned)
    assert stage.provider.opened == {"server-1": (22, 8000)}
    assert len(await stage.events(e.PortsOpened)) == 1
    delayed = await stage.events(e.ActionDelayed)
    assert [(each.number, each.code) for each in delayed] == [(n, error.code) for n in range(1, failures + 1)]
    instance = await stage.instance()
    assert (instance.status, instance.error) == (Status.INSTALLING, None)


async def test_the_pauses_grow_beyond_those_of_a_launch_and_the_next_holder_goes_on(stage: Stage) -> None:
    stage.with_settings(longest_backoff_seconds=0.01, longest_release_backoff_seconds=0.64)
    await while_it_installs(stage)
    for number in range(1, 9):
        await stage.happened(
            e.ActionDelayed, action=Action.OPEN_PORTS, attempt=1, number=number, code="cloud_error", reason="not now",
            next_try_at=datetime.now(UTC),
        )  # fmt: skip
    stage.provider.fail("open_ports", TryAgain("cloud_error", "not now"))
    await stage.deliver(e.IpAssigned, redelivered=True, age_s=3600.0)
    last = (await stage.events(e.ActionDelayed))[-1]
    assert (last.next_try_at - last.occurred_at).total_seconds() >= 0.3
    assert len(await stage.events(e.PortsOpened)) == 1


async def test_ports_are_left_as_they_are_once_the_instance_ends(stage: Stage) -> None:
    await while_it_installs(stage)
    stage.provider.fail("open_ports", *[TryAgain("cloud_error", "not now")] * 100)

    async def has_given_up_failing() -> bool:
        return len(await stage.events(e.ActionDelayed)) > stage.settings.launch_tries

    opening = asyncio.create_task(stage.deliver(e.IpAssigned))
    await stage.until(has_given_up_failing)
    await stage.terminated()
    await opening
    assert stage.provider.empty
    assert (await stage.instance()).status is Status.TERMINATED
