"""What Scaleway answers when it is asked what a launch will need: with the right key, with wrong ones, with none."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from scaleway.instance.v1 import CreateServerResponse

from services.provisioner.providers.scaleway.check import NOT_SOLD
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from shared.offers.provider_status import CheckOutcome, ProviderCheck, reason_of
from simulator.app import Simulator
from simulator.scenario import Call, Error, Failure
from tests.provisioner.providers.conftest import CALL_TIMEOUT_S, QUICK
from tests.simulator.clients import Control

PASSED, LIMITED, FAILED, UNKNOWN = CheckOutcome
EVERYTHING = ["credentials", "project", "permissions", "zones", "image", "quota"]


async def checks_of(settings: ScalewaySettings, **changes: Any) -> dict[str, ProviderCheck]:
    changed = settings.model_copy(update=changes)
    async with ScalewayProvider(changed, uuid4(), CALL_TIMEOUT_S) as provider:
        return by_subject(await provider.check())


def by_subject(checks: tuple[ProviderCheck, ...]) -> dict[str, ProviderCheck]:
    return {check.subject: check for check in checks}


async def fail(control: Control, *failures: Failure, **scenario: Any) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": failures, **scenario}))


def denied(call: Call) -> Failure:
    return Failure(call=call, error=Error.PERMISSIONS_DENIED, times=None)


async def test_with_everything_in_order_every_question_is_answered_and_nothing_is_made(
    provider: ScalewayProvider, control: Control
) -> None:
    checks = await provider.check()
    assert [check.subject for check in checks] == EVERYTHING
    assert {check.outcome for check in checks} == {PASSED}
    assert reason_of(checks) is None
    account = await control("GET", "account")
    assert not any(account["remaining"].values()), account["remaining"]


async def test_a_wrong_key_says_so_and_nothing_else_is_asked(scaleway_settings: ScalewaySettings) -> None:
    wrong = SecretStr(str(uuid4()))
    checks = await checks_of(scaleway_settings, secret_key=wrong)
    assert list(checks) == ["credentials"]
    assert checks["credentials"].outcome is FAILED
    assert "check SCW_ACCESS_KEY and SCW_SECRET_KEY" in checks["credentials"].detail


async def test_a_cloud_that_cannot_be_reached_says_so(scaleway_settings: ScalewaySettings) -> None:
    checks = await checks_of(scaleway_settings, api_url="http://127.0.0.1:9")
    assert list(checks) == ["connection"]
    assert checks["connection"].outcome is FAILED
    assert "check the network, and SCW_API_URL" in checks["connection"].detail


@pytest.mark.parametrize(
    ("call", "may_not"),
    [
        (Call.LIST_SERVERS, "list servers"),
        (Call.LIST_SECURITY_GROUPS, "list security groups"),
        (Call.LIST_IPS, "list addresses"),
        (Call.LIST_VOLUMES, "list volumes"),
        (Call.CREATE_SERVER, "order servers"),
    ],
)
async def test_a_permission_that_the_key_lacks_is_named(
    provider: ScalewayProvider, control: Control, call: Call, may_not: str
) -> None:
    await fail(control, denied(call))
    checks = by_subject(await provider.check())
    assert checks["credentials"].outcome is PASSED
    assert checks["permissions"].outcome is FAILED
    assert f"the key may not {may_not}: the API key lacks a permission: add" in checks["permissions"].detail
    await fail(control)
    assert reason_of(await provider.check()) is None


async def test_the_order_that_nobody_can_fill_is_sent_once_an_hour(
    provider: ScalewayProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered, order = [], provider._sdk.instance.create_server

    def noted(**wanted: Any) -> CreateServerResponse:
        ordered.append(wanted["commercial_type"])
        return order(**wanted)

    monkeypatch.setattr(provider._sdk.instance, "create_server", noted)
    for _ in range(3):
        await provider.check()
    assert ordered == [NOT_SOLD]


async def test_an_answer_that_does_not_come_is_no_permission(provider: ScalewayProvider, control: Control) -> None:
    await fail(control, Failure(call=Call.CREATE_SERVER, error=Error.INTERNAL, times=1))
    assert by_subject(await provider.check())["permissions"].outcome is FAILED
    assert by_subject(await provider.check())["permissions"].outcome is PASSED


async def test_a_project_that_is_not_there_fails(scaleway_settings: ScalewaySettings) -> None:
    project = (await checks_of(scaleway_settings, default_project_id=uuid4()))["project"]
    assert (project.outcome, project.detail) == (FAILED, "there is no such project: check SCW_DEFAULT_PROJECT_ID")


async def test_a_zone_that_the_cloud_does_not_know_fails(scaleway_settings: ScalewaySettings) -> None:
    checks = await checks_of(scaleway_settings, zones=("mars-xx-1",))
    assert checks["zones"].outcome is FAILED
    assert "mars-xx-1: no such zone: check SCW_DEFAULT_ZONE and COLDSTART_SCALEWAY_ZONES" in checks["zones"].detail
    assert "image" not in checks


async def test_a_zone_without_gpus_limits(scaleway_settings: ScalewaySettings) -> None:
    zones = (await checks_of(scaleway_settings, zones=("nl-ams-1",)))["zones"]
    assert zones.outcome is LIMITED
    assert zones.detail.startswith("no GPU is sold in nl-ams-1: ")


async def test_an_image_that_boots_nothing_with_a_gpu_fails(scaleway_settings: ScalewaySettings) -> None:
    image = (await checks_of(scaleway_settings, image="ubuntu_no_such"))["image"]
    assert image.outcome is FAILED
    assert image.detail.endswith("check COLDSTART_SCALEWAY_IMAGE")


@pytest.mark.parametrize(
    ("quotas", "outcome", "says"),
    [
        ({}, PASSED, "at least one server of each type with GPUs may be rented"),
        ({"L4-1-24G": 1}, PASSED, "at least one server of each type with GPUs may be rented"),
        ({"L4-1-24G": 0, "H100-1-80G": 0}, LIMITED, "it is 0 for H100-1-80G, L4-1-24G: verify the organisation"),
    ],
)
async def test_a_quota_of_0_limits(
    provider: ScalewayProvider, control: Control, quotas: Mapping[str, int], outcome: CheckOutcome, says: str
) -> None:
    await fail(control, quotas=quotas)
    quota = by_subject(await provider.check())["quota"]
    assert quota.outcome is outcome
    assert quota.detail.startswith(says)


async def test_a_quota_of_0_for_everything_fails(provider: ScalewayProvider, control: Control) -> None:
    await fail(control, quotas={kind.name: 0 for kind in await provider.instance_types()})
    quota = by_subject(await provider.check())["quota"]
    assert quota.outcome is FAILED
    assert "or ask for it by a support ticket" in quota.detail


async def test_what_the_key_may_not_read_is_unknown_and_no_failure(
    scaleway_settings: ScalewaySettings, provider: ScalewayProvider, simulator: Simulator, control: Control
) -> None:
    await fail(control, denied(Call.GET_PROJECT), denied(Call.LIST_QUOTA))
    checks = by_subject(await provider.check())
    assert (checks["project"].outcome, checks["quota"].outcome) == (UNKNOWN, UNKNOWN)
    assert checks["quota"].detail == "set SCW_DEFAULT_ORGANIZATION_ID to have it read"
    assert reason_of(tuple(checks.values())) is None
    organization = simulator.settings.organization_id
    await fail(control, denied(Call.GET_PROJECT))
    assert (await checks_of(scaleway_settings, default_organization_id=organization))["quota"].outcome is PASSED
    await fail(control, denied(Call.LIST_QUOTA))
    assert (await checks_of(scaleway_settings))["quota"].outcome is UNKNOWN
