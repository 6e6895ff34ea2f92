"""Failures that a scenario asks for, as the official SDK meets them."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from scaleway_core.api import ScalewayException

from simulator.cloud.failures import ActiveScenario
from simulator.scenario import Call, Error, Failure, Scenario
from simulator.settings import SimulatorSettings
from tests.simulator.clients import DEADLINE, Control, Sdk, ask, eventually
from tests.simulator.conftest import QUICK


def failing(*failures: Failure, **changes: float) -> Scenario:
    return QUICK.model_copy(update={"failures": failures, **changes})


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Error.OUT_OF_STOCK, 412, "out_of_stock"),
        (Error.QUOTAS_EXCEEDED, 403, "quotas_exceeded"),
        (Error.TRANSIENT_STATE, 409, "transient_state"),
        (Error.PERMISSIONS_DENIED, 403, "permissions_denied"),
        (Error.DENIED_AUTHENTICATION, 401, "denied_authentication"),
        (Error.INVALID_ARGUMENTS, 400, "invalid_arguments"),
        (Error.NOT_FOUND, 404, "not_found"),
        (Error.INTERNAL, 500, "internal_error"),
        (Error.UNAVAILABLE, 503, "unavailable"),
    ],
)
async def test_a_refusal_changes_nothing_and_has_the_vendors_shape(
    sdk: Sdk, control: Control, error: Error, status: int, kind: str
) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.CREATE_SERVER, error=error)))
    with pytest.raises(ScalewayException) as refused:
        await sdk.create()
    assert refused.value.status_code == status
    assert refused.value.response.json()["type"] == kind
    assert (await control("GET", "account"))["servers"] == []


async def listed(sdk: Sdk) -> requests.Response:
    """The SDK itself chokes on an error without a body."""
    return await asyncio.to_thread(
        requests.get,
        f"{sdk.url}/instance/v1/zones/fr-par-2/servers",
        headers={"X-Auth-Token": sdk.secret_key},
        timeout=DEADLINE,
    )


async def test_too_many_requests_have_neither_a_body_nor_a_pause(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.LIST_SERVERS, error=Error.TOO_MANY_REQUESTS)))
    answer = await listed(sdk)
    assert (answer.status_code, answer.content, "Retry-After" in answer.headers) == (429, b"", False)


async def test_a_quota_of_0_is_named_as_scaleway_names_it(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.CREATE_SERVER, error=Error.QUOTAS_EXCEEDED, quota=0)))
    with pytest.raises(ScalewayException) as refused:
        await sdk.create()
    assert refused.value.response.json()["details"] == [
        {"resource": "cp_servers_type_L4_1_24G", "quota": 0, "current": 0}
    ]


async def test_a_type_with_a_quota_is_refused_beyond_it_and_others_are_not(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"quotas": {"L4-1-24G": 1}}))
    await sdk.create()
    with pytest.raises(ScalewayException) as refused:
        await sdk.create()
    assert refused.value.response.json()["details"] == [
        {"resource": "cp_servers_type_L4_1_24G", "quota": 1, "current": 1}
    ]
    await sdk.create(commercial_type="L4-2-24G")


async def test_a_type_that_does_not_exist_is_unknown_and_never_out_of_stock(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK)))
    with pytest.raises(ScalewayException) as unknown:
        await sdk.create(commercial_type="NO-SUCH-TYPE")
    assert unknown.value.status_code == 400
    with pytest.raises(ScalewayException) as sold_out:
        await sdk.create()
    assert sold_out.value.status_code == 412


async def test_a_refused_creation_may_leave_its_boot_volume_which_nothing_ties_to_it(
    sdk: Sdk, control: Control
) -> None:
    sold_out = failing(Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK))
    await control("PUT", "scenario", sold_out.model_copy(update={"out_of_stock_leaves_volume": True}))
    with pytest.raises(ScalewayException) as refused:
        await sdk.create("coldstart")
    assert refused.value.status_code == 412
    (left,) = await ask(sdk.block.list_volumes_all, include_deleted=False)
    assert (left.tags, left.references, left.status) == ([], [], "available")
    kept = await sdk.create()
    other = await ask(sdk.block.get_volume, volume_id=kept.volumes["0"].id)
    assert left.parent_snapshot_id == other.parent_snapshot_id


async def test_too_many_requests_may_say_when_to_come_back(sdk: Sdk, control: Control) -> None:
    failure = Failure(call=Call.LIST_SERVERS, error=Error.TOO_MANY_REQUESTS)
    await control("PUT", "scenario", failing(failure, retry_after=2.5))
    assert (await listed(sdk)).headers["Retry-After"] == "3"


async def test_a_scenario_of_a_tag_is_that_of_an_address_that_bears_it(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenarios/mine", failing(Failure(call=Call.DELETE_IP, error=Error.UNAVAILABLE)))
    mine, other = [(await ask(sdk.instance.create_ip, tags=[tag])).ip for tag in ("mine", "other")]
    assert mine is not None
    assert other is not None
    await ask(sdk.instance.delete_ip, ip=other.id)
    with pytest.raises(ScalewayException) as failed:
        await ask(sdk.instance.delete_ip, ip=mine.id)
    assert failed.value.status_code == 503


async def test_a_proxys_error_is_no_json(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.LIST_SERVERS, error=Error.BAD_GATEWAY)))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        await ask(sdk.instance.list_servers)


@pytest.mark.parametrize(
    ("error", "servers"),
    [
        (Error.TIMEOUT_BEFORE, 0),
        (Error.RESET_BEFORE, 0),
        (Error.TIMEOUT_AFTER, 1),
        (Error.RESET_AFTER, 1),
    ],
)
async def test_an_answer_that_never_comes_may_have_had_its_effect(
    sdk: Sdk, control: Control, error: Error, servers: int
) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.CREATE_SERVER, error=error)))
    with pytest.raises(requests.exceptions.ConnectionError):
        await sdk.create()
    assert len((await control("GET", "account"))["servers"]) == servers


async def test_an_internal_error_may_have_had_its_effect(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.CREATE_SERVER, error=Error.INTERNAL_AFTER)))
    with pytest.raises(ScalewayException):
        await sdk.create()
    assert len((await control("GET", "account"))["servers"]) == 1


async def test_a_create_takes_effect_even_when_its_caller_has_left(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"create": 0.3}))
    with pytest.raises(requests.exceptions.ReadTimeout):
        await asyncio.to_thread(
            requests.post,
            f"{sdk.url}/instance/v1/zones/fr-par-2/servers",
            json={"commercial_type": "L4-1-24G", "name": "late", "image": "ubuntu_noble"},
            headers={"X-Auth-Token": sdk.secret_key},
            timeout=0.1,
        )
    await eventually(lambda: control("GET", "account"), lambda seen: len(seen["servers"]) == 1)


async def test_what_a_creation_lacks_is_named(sdk: Sdk) -> None:
    answer = await asyncio.to_thread(
        requests.post,
        f"{sdk.url}/instance/v1/zones/fr-par-2/servers",
        json={"name": "srv-intelligent-bohr"},
        headers={"X-Auth-Token": sdk.secret_key},
        timeout=DEADLINE,
    )
    assert (answer.status_code, answer.json()["type"]) == (400, "invalid_arguments")
    assert answer.json()["details"] == [
        {"argument_name": name, "reason": "required", "help_message": "required key not provided"}
        for name in ("commercial_type", "image")
    ]


async def test_a_failure_ends_after_its_times(sdk: Sdk, control: Control) -> None:
    failure = Failure(call=Call.SERVER_ACTION, error=Error.TRANSIENT_STATE, times=2)
    await control("PUT", "scenario", failing(failure))
    server = await sdk.with_volume()
    for _ in range(2):
        with pytest.raises(ScalewayException):
            await sdk.act(server.id, "poweron")
    await sdk.act(server.id, "poweron")


async def test_an_action_fails_by_its_own_name(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", failing(Failure(call=Call.POWEROFF, error=Error.INTERNAL, times=None)))
    server = await sdk.booted()
    with pytest.raises(ScalewayException) as refused:
        await sdk.act(server.id, "poweroff")
    assert refused.value.status_code == 500


async def test_stock_may_be_out_in_one_zone_only_and_the_availability_says_so(sdk: Sdk, control: Control) -> None:
    failure = Failure(
        call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, times=None, zone="fr-par-2", instance_type="L4-1-24G"
    )
    await control("PUT", "scenario", failing(failure))
    with pytest.raises(ScalewayException) as refused:
        await sdk.create()
    assert refused.value.response.json()["resource"] == "L4-1-24G"
    await sdk.create(commercial_type="L40S-1-48G")
    await sdk.create(zone="pl-waw-2")
    here = (await ask(sdk.instance.get_server_types_availability)).servers
    there = (await ask(sdk.instance.get_server_types_availability, zone="pl-waw-2")).servers
    assert here["L4-1-24G"].availability == "shortage"
    assert here["L40S-1-48G"].availability == "available"
    assert there["L4-1-24G"].availability == "available"


async def test_a_tags_scenario_touches_only_servers_that_bear_it(sdk: Sdk, control: Control) -> None:
    always = Failure(call=Call.ANY, error=Error.UNAVAILABLE, times=None)
    other = await sdk.with_volume("instance=2")
    mine = await sdk.with_volume("instance=1")
    await control("PUT", "scenarios/instance=1", failing(always))
    for call in (
        ask(sdk.instance.get_server, server_id=mine.id),
        ask(sdk.block.get_volume, volume_id=mine.volumes["0"].id),
        ask(sdk.instance.list_servers, tags=["instance=1"]),
        sdk.create("instance=1"),
    ):
        with pytest.raises(ScalewayException) as refused:
            await call
        assert refused.value.status_code == 503
    await sdk.get(other.id)
    await sdk.create("instance=2")
    await ask(sdk.instance.list_servers)


async def test_a_wrong_key_is_denied_and_price_lists_need_none(sdk: Sdk) -> None:
    stranger = Sdk(sdk.simulator, secret_key="00000000-0000-4000-8000-000000000000")
    with pytest.raises(ScalewayException) as denied:
        await ask(stranger.instance.list_servers)
    assert denied.value.status_code == 401
    assert denied.value.response.json()["type"] == "denied_authentication"
    assert (await ask(stranger.instance.list_servers_types)).servers


async def test_another_project_is_not_permitted_and_shows_nothing(sdk: Sdk) -> None:
    await sdk.create()
    stranger = Sdk(sdk.simulator, project_id="00000000-0000-4000-8000-000000000000")
    with pytest.raises(ScalewayException) as denied:
        await stranger.create()
    assert denied.value.status_code == 403
    assert await ask(stranger.instance.list_servers_all) == []


async def test_an_unknown_zone_is_an_invalid_argument(sdk: Sdk) -> None:
    with pytest.raises(ScalewayException) as refused:
        await ask(sdk.instance.list_servers, zone="de-ber-1")
    assert refused.value.response.json()["details"][0]["argument_name"] == "zone"


class TestQuota:
    @pytest.fixture
    def settings(self, scenario: Scenario) -> SimulatorSettings:
        return SimulatorSettings(server_quota=1, scenario=scenario)

    async def test_the_quota_counts_living_servers(self, sdk: Sdk) -> None:
        server = await sdk.create()
        with pytest.raises(ScalewayException) as refused:
            await sdk.create()
        assert refused.value.status_code == 403
        assert refused.value.response.json()["details"][0]["quota"] == 1
        await ask(sdk.instance.delete_server, server_id=server.id)
        await sdk.create()


@given(seed=st.integers(), probability=st.floats(0, 1))
def test_the_same_seed_fails_the_same_calls(seed: int, probability: float) -> None:
    failure = Failure(call=Call.GET_SERVER, error=Error.INTERNAL, times=None, probability=probability)
    scenario = Scenario(seed=seed, failures=(failure,))
    first, second = ActiveScenario(scenario), ActiveScenario(scenario)
    for _ in range(20):
        outcome = first.fails(Call.GET_SERVER, zone=None, instance_type=None)
        assert outcome == second.fails(Call.GET_SERVER, zone=None, instance_type=None)
        assert outcome in (None, failure)


def drawn(seed: int, *, calls: int = 400) -> list[Error | None]:
    """What calls of one kind meet when only chance fails them."""
    active = ActiveScenario(Scenario(seed=seed, random_failures=0.5))
    met = [active.fails(Call.GET_SERVER, zone=None, instance_type=None) for _ in range(calls)]
    return [failure.error if failure else None for failure in met]


def test_chance_fails_calls_in_every_way_and_a_seed_repeats_it() -> None:
    assert set(drawn(1)) == {None, *Error}
    assert drawn(1) == drawn(1) != drawn(2)


async def test_chance_may_be_held_to_some_errors(sdk: Sdk, control: Control) -> None:
    always = QUICK.model_copy(update={"random_failures": 1.0, "random_errors": (Error.UNAVAILABLE,)})
    await control("PUT", "scenario", always)
    with pytest.raises(ScalewayException) as refused:
        await ask(sdk.instance.list_servers)
    assert refused.value.status_code == 503


async def test_too_many_requests_may_name_a_moment(sdk: Sdk, control: Control) -> None:
    failure = Failure(call=Call.LIST_SERVERS, error=Error.TOO_MANY_REQUESTS)
    await control("PUT", "scenario", failing(failure, retry_after=60, retry_after_is_a_date=True))
    asked = datetime.now(UTC)
    named = parsedate_to_datetime((await listed(sdk)).headers["Retry-After"])
    assert timedelta(seconds=60) <= named - asked < timedelta(seconds=60 + DEADLINE)


async def test_the_argument_that_is_unknown_can_be_chosen(sdk: Sdk, control: Control) -> None:
    gone = Failure(call=Call.CREATE_SERVER, error=Error.INVALID_ARGUMENTS, argument="image")
    await control("PUT", "scenario", failing(gone))
    with pytest.raises(ScalewayException) as refused:
        await sdk.create()
    assert refused.value.response.json()["details"][0]["argument_name"] == "image"


async def test_a_scarce_type_says_so_and_can_be_had(sdk: Sdk, control: Control) -> None:
    await control("PUT", "scenario", QUICK.model_copy(update={"scarce": ("L4-1-24G",)}))
    listed = (await ask(sdk.instance.get_server_types_availability)).servers
    assert listed["L4-1-24G"].availability == "scarce"
    assert listed["L40S-1-48G"].availability == "available"
    await sdk.create()


@given(times=st.integers(1, 5), calls=st.lists(st.sampled_from([Call.POWERON, Call.GET_SERVER]), max_size=20))
def test_a_certain_failure_fires_exactly_its_times(times: int, calls: list[Call]) -> None:
    active = ActiveScenario(Scenario(failures=(Failure(call=Call.POWERON, error=Error.INTERNAL, times=times),)))
    fired = [active.fails(call, zone=None, instance_type=None) for call in calls]
    assert len([error for error in fired if error]) == min(times, calls.count(Call.POWERON))
    assert all(error is None for call, error in zip(calls, fired, strict=True) if call is Call.GET_SERVER)
