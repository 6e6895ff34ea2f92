"""Every answer of the cloud has one meaning: each row of the table, and the answers of a simulated cloud."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from services.provisioner.provider import Order, ProviderError, Rejected, Server, TryAgain
from services.provisioner.providers.scaleway.errors import (
    LOST,
    TABLE,
    Busy,
    InUse,
    NoImage,
    NotThere,
    SoldOut,
    _read,
    refusal,
)
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from simulator.scenario import Call, Error, Failure
from tests.provisioner.providers.conftest import QUICK
from tests.simulator.clients import Control

ASKED_FOR: Final = {
    Error.OUT_OF_STOCK: (TryAgain, "out_of_stock"),
    Error.QUOTAS_EXCEEDED: (Rejected, "quota_exceeded"),
    Error.TRANSIENT_STATE: (TryAgain, "transient_state"),
    Error.TOO_MANY_REQUESTS: (TryAgain, "rate_limited"),
    Error.PERMISSIONS_DENIED: (Rejected, "permission_denied"),
    Error.DENIED_AUTHENTICATION: (Rejected, "invalid_credentials"),
    Error.INVALID_ARGUMENTS: (Rejected, "unknown_instance_type"),
    Error.INTERNAL: (TryAgain, "cloud_error"),
    Error.INTERNAL_AFTER: (TryAgain, "cloud_error"),
    Error.BAD_GATEWAY: (TryAgain, "cloud_unavailable"),
    Error.UNAVAILABLE: (TryAgain, "cloud_unavailable"),
    Error.TIMEOUT_BEFORE: (TryAgain, "timed_out"),
    Error.TIMEOUT_AFTER: (TryAgain, "timed_out"),
    Error.RESET_BEFORE: (TryAgain, "cloud_unreachable"),
    Error.RESET_AFTER: (TryAgain, "cloud_unreachable"),
}
NOW: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)
SILENT_S: Final = 4.0
"""Seconds until the hanging cloud cuts the connection: longer than a call may take."""
HTML: Final = "<html><body>nginx</body></html>"
EXAMPLES: Final[list[tuple[int, Any, type[ProviderError], str]]] = [
    (412, {"type": "out_of_stock", "resource": "L4-1-24G"}, SoldOut, "out_of_stock"),
    (403, {"type": "quotas_exceeded", "details": [{"quota": 0, "current": 0}]}, Rejected, "quota_exceeded"),
    (403, {"type": "quotas_exceeded"}, Rejected, "quota_exceeded"),
    (403, {"type": "invalid_request_error", "message": "Quota exceeded"}, Rejected, "quota_exceeded"),
    (403, {"type": "permissions_denied"}, Rejected, "permission_denied"),
    (401, {"type": "denied_authentication"}, Rejected, "invalid_credentials"),
    (
        400,
        {"type": "invalid_arguments", "details": [{"argument_name": "commercial_type"}]},
        Rejected,
        "unknown_instance_type",
    ),
    (400, {"type": "invalid_arguments", "details": [{"argument_name": "image"}]}, NoImage, "image_not_found"),
    (404, {"type": "not_found", "resource": "instance_image"}, NoImage, "image_not_found"),
    (404, {"type": "not_found", "resource": "MarketplaceImage"}, NoImage, "image_not_found"),
    (400, {"type": "invalid_arguments", "details": [{"argument_name": "zone"}]}, Rejected, "unknown_zone"),
    (400, {"type": "invalid_arguments", "details": [{"argument_name": "name"}]}, Rejected, "invalid_request"),
    (404, {"type": "not_found", "resource": "instance_server"}, NotThere, "server_missing"),
    (404, {"type": "unknown_resource"}, NotThere, "server_missing"),
    (400, {"type": "precondition_failed", "precondition": "protected_resource"}, TryAgain, "resource_protected"),
    (
        400,
        {
            "type": "precondition_failed",
            "precondition": "resource_still_in_use",
            "help_message": "instance should be powered off",
        },
        InUse,
        "resource_in_use",
    ),
    (412, {"type": "precondition_failed", "message": "server should be stopped"}, Busy, "wrong_state"),
    (412, {"type": "precondition_failed", "message": "server should be running"}, Busy, "wrong_state"),
    (400, {"type": "precondition_failed"}, InUse, "resource_in_use"),
    (409, {"type": "conflict", "message": "Group is in use. You cannot delete it."}, InUse, "resource_in_use"),
    (409, {"type": "transient_state", "current_state": "starting"}, Busy, "transient_state"),
    (400, {"type": "invalid_request_error", "message": "server should be stopped"}, Busy, "wrong_state"),
    (400, {"type": "invalid_request_error", "message": "snapshot is not available"}, Busy, "wrong_state"),
    (403, {"type": "locked"}, Rejected, "resource_locked"),
    (429, "", TryAgain, "rate_limited"),
    (429, HTML, TryAgain, "rate_limited"),
    (500, {"type": "internal_error"}, TryAgain, "cloud_error"),
    (502, HTML, TryAgain, "cloud_unavailable"),
    (408, HTML, TryAgain, "timed_out"),
    (403, HTML, TryAgain, "bad_answer"),
    (404, {"type": "no_route"}, TryAgain, "bad_answer"),
    (401, {}, Rejected, "invalid_credentials"),
    (403, {}, Rejected, "permission_denied"),
    (409, {}, Busy, "transient_state"),
    (412, {}, InUse, "resource_in_use"),
    (400, {"type": "invalid_request_error", "message": "Validation Error"}, Rejected, "invalid_request"),
    (302, {}, TryAgain, "bad_answer"),
]


def answer(status: int, body: Any, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    said = body if isinstance(body, str) else json.dumps({"message": "no", **body} if isinstance(body, dict) else body)
    response._content = said.encode()
    return response


@pytest.mark.parametrize(("status", "body", "outcome", "code"), EXAMPLES)
def test_an_answer_has_one_meaning(status: int, body: Any, outcome: type[ProviderError], code: str) -> None:
    error = refusal(answer(status, body), NOW)
    assert (type(error), error.code) == (outcome, code)


def test_every_row_of_the_table_is_reached() -> None:
    answers = [_read(answer(status, body), NOW) for status, body, _, _ in EXAMPLES]
    reached = {next(number for number, row in enumerate(TABLE) if row.matches(each)) for each in answers}
    assert reached == set(range(len(TABLE)))


bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "message", "details", "fields", "resource", "argument_name"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(status=st.integers(300, 599), body=bodies, retry_after=st.text(max_size=4))
def test_whatever_is_answered_means_something(status: int, body: Any, retry_after: str) -> None:
    assert isinstance(refusal(answer(status, body, Retry_After=retry_after), NOW), ProviderError)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("999999", 300.0), ("-1", None), ("nan", None), ("Fri, 1 Jan", None)]
)
def test_the_clouds_own_pause_is_kept_within_reason(header: str, seconds: float | None) -> None:
    error = refusal(answer(429, {}, Retry_After=header), NOW)
    assert isinstance(error, TryAgain)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Tue, 24 Nov 2026 02:01:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 03:01:00 +0100", 60.0),
        ("Tue, 24 Nov 2026 02:01:00 -0000", 60.0),
        ("Tue, 24 Nov 2026 01:00:00 GMT", 0.0),
        ("Wed, 25 Nov 2026 02:00:00 GMT", 300.0),
        ("Tue, 24 Nov 99999999999999999999 02:00:00 GMT", None),
    ],
)
def test_the_clouds_own_pause_may_end_at_a_date(header: str, seconds: float | None) -> None:
    error = refusal(answer(429, {}, Retry_After=header), NOW)
    assert isinstance(error, TryAgain)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "certain"),
    [
        (400, {"type": "precondition_failed"}, True),
        (404, {"type": "not_found"}, True),
        (409, {}, True),
        (412, {"type": "out_of_stock"}, True),
        (429, {}, True),
        (429, HTML, True),
        (429, "", True),
        (403, HTML, False),
        (404, HTML, False),
        (408, {}, False),
        (500, {"type": "internal_error"}, False),
        (503, HTML, False),
        (302, {}, False),
    ],
)
def test_only_what_the_api_itself_refuses_certainly_had_no_effect(status: int, body: Any, *, certain: bool) -> None:
    error = refusal(answer(status, body), NOW)
    assert isinstance(error, TryAgain)
    assert error.had_no_effect is certain


def test_every_message_says_what_a_person_can_do() -> None:
    said = {row.says for row in TABLE} | {says for _, _, says in LOST}
    assert {says for says in said if not re.search(r"[:,] \S", says)} == set()


def test_a_message_says_what_to_do_and_what_the_cloud_said() -> None:
    body = {"type": "quotas_exceeded", "details": [{"resource": "L4-1-24G", "quota": 1, "current": 1}]}
    message = refusal(answer(403, body), NOW).message
    assert "raise it in the console" in message
    assert "resource L4-1-24G, quota 1, current 1" in message


def test_a_quota_of_0_is_explained() -> None:
    """The body of a new organisation, as yassineteimi/nvidia-gpu-fleet-poc quotes it in scaleway-sdk-go's words."""
    body = {
        "type": "quotas_exceeded",
        "details": [{"resource": "cp_servers_type_L4_1_24G", "quota": 0, "current": 0}],
    }
    message = refusal(answer(403, body), NOW).message
    assert "verify your identity" in message
    assert "support ticket" in message
    assert "cp_servers_type_L4_1_24G" in message


def test_what_a_cloud_says_is_told_in_plain_characters() -> None:
    body = {"type": "invalid_arguments", "message": "\x1b[31mno\x1b[0m\u202e\r\nreally\0", "help_message": "x" * 9_000}
    message = refusal(answer(400, body), NOW).message
    assert "no\N{REPLACEMENT CHARACTER} really\N{REPLACEMENT CHARACTER}; xxx" in message
    assert message.isprintable()
    assert len(message) < 600


def test_an_answer_of_any_depth_is_a_proxys_page() -> None:
    assert refusal(answer(500, "[" * 100_000), NOW).code == "cloud_error"


@pytest.fixture
def call_timeout_s() -> float:
    return SILENT_S / 2


@pytest.mark.parametrize("error", [each for each in Error if each is not Error.NOT_FOUND])
async def test_a_failed_call_of_a_simulated_cloud_has_its_documented_outcome(
    provider: ScalewayProvider, control: Control, error: Error
) -> None:
    failure = Failure(call=Call.POWERON, error=error)
    await control(
        "PUT", "scenario", QUICK.model_copy(update={"failures": (failure,), "retry_after": 2, "hang": SILENT_S})
    )
    order = Order(uuid4(), "failing", provider.zones[0], "L4-1-24G", b"")
    server = await provider.create_server(order)
    assert isinstance(server, Server)
    with pytest.raises(ProviderError) as failed:
        await provider.power_on(server.zone, server.id)
    kind, code = ASKED_FOR[error]
    assert isinstance(failed.value, kind)
    assert failed.value.code == code
    if error is Error.TOO_MANY_REQUESTS:
        assert isinstance(failed.value, TryAgain)
        assert failed.value.retry_after == 2


@pytest.mark.parametrize("call", [Call.LIST_SERVER_TYPES, Call.LIST_AVAILABILITY])
@pytest.mark.parametrize("error", [each for each in Error if each is not Error.NOT_FOUND])
async def test_an_offer_that_cannot_be_read_has_the_same_outcomes(
    provider: ScalewayProvider, control: Control, call: Call, error: Error
) -> None:
    failure = Failure(call=call, error=error, zone=provider.zones[-1])
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,), "hang": SILENT_S}))
    with pytest.raises(ProviderError) as failed:
        await provider.instance_types()
    kind, code = ASKED_FOR[error]
    assert isinstance(failed.value, kind)
    assert failed.value.code == code
    assert await provider.instance_types()


@pytest.mark.parametrize("call", [Call.GET_IMAGE, Call.LIST_VOLUMES])
async def test_leftovers_that_cannot_be_read_are_not_taken_for_none(
    provider: ScalewayProvider, control: Control, call: Call
) -> None:
    failure = Failure(call=call, error=Error.UNAVAILABLE, zone=provider.zones[-1])
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(TryAgain) as failed:
        await provider.leftover_volumes()
    assert failed.value.code == "cloud_unavailable"
    assert list(await provider.leftover_volumes()) == []


async def test_an_unknown_type_image_or_zone_is_named(
    provider: ScalewayProvider, scaleway_settings: ScalewaySettings
) -> None:
    zone = provider.zones[0]
    with pytest.raises(Rejected) as wrong_type:
        await provider.create_server(Order(uuid4(), "wrong", zone, "L5-1-24G", b""))
    assert wrong_type.value.code == "unknown_instance_type"
    with pytest.raises(Rejected) as wrong_zone:
        await provider.create_server(Order(uuid4(), "wrong", "de-ber-1", "L4-1-24G", b""))
    assert wrong_zone.value.code == "unknown_zone"
    other = scaleway_settings.model_copy(update={"image": "ubuntu_none"})
    async with ScalewayProvider(other, uuid4(), 8.0) as without_image:
        with pytest.raises(Rejected) as wrong_image:
            await without_image.create_server(Order(uuid4(), "wrong", zone, "L4-1-24G", b""))
    assert wrong_image.value.code == "image_not_found"


async def test_a_new_organisation_is_told_why_it_gets_no_machine(provider: ScalewayProvider, control: Control) -> None:
    failure = Failure(call=Call.CREATE_SERVER, error=Error.QUOTAS_EXCEEDED, quota=0)
    await control("PUT", "scenario", QUICK.model_copy(update={"failures": (failure,)}))
    with pytest.raises(Rejected, match="verify your identity") as refused:
        await provider.create_server(Order(uuid4(), "first", provider.zones[0], "L4-1-24G", b""))
    assert refused.value.code == "quota_exceeded"


async def test_a_wrong_key_says_so_at_once(scaleway_settings: ScalewaySettings) -> None:
    other = ScalewaySettings.model_validate({**scaleway_settings.model_dump(), "secret_key": str(uuid4())})
    async with ScalewayProvider(other, uuid4(), 8.0) as stranger:
        with pytest.raises(Rejected) as denied:
            await stranger.find_servers(uuid4())
    assert denied.value.code == "invalid_credentials"


def test_the_manual_knows_every_code() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
    codes = {row.code for row in TABLE} | {code for _, code, _ in LOST}
    assert {code for code in codes if f"`{code}`" not in manual} == set()
