"""Each refusal is an error of its type, by either client, and has what the problem document says."""

from uuid import UUID

import httpx
import pytest
import yaml

from coldstart_client import (
    AsyncClient,
    Conflict,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NoAnswer,
    NotFound,
    PreconditionFailed,
    RateLimited,
    ServerFault,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    UpstreamFailed,
    WrongField,
    errors,
)
from coldstart_client.problems import BY_STATUS, error_of
from services.api.http.kinds import STATUS
from tests.api.fakes import free_port
from tests.api.openapi.test_document import FILE
from tests.api.stage import ADMIN_KEY, MODEL, Stage
from tests.client.conftest import MakeClient
from tests.coldstart.fake_api import Answer, FakeApi

NOBODY = UUID(int=7)


async def test_a_wrong_key_and_what_a_key_may_not_do(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    async with client_of(api.url, "csk_wrong") as client:
        with pytest.raises(Unauthenticated) as refused:
            await client.instances.get(NOBODY)
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (401, "unauthorized", None)
    assert str(refused.value) == f"A valid API key is needed: {refused.value.hint}"
    async with client_of(api.url, await api.user_key()) as client:
        with pytest.raises(Forbidden) as forbidden:
            await client.models.add(model=MODEL)
    assert (forbidden.value.status, forbidden.value.code) == (403, "forbidden")


async def test_a_limit_says_how_much_there_may_be(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    await api.organization("acme", max_instances=1)
    async with client_of(api.url, ADMIN_KEY) as client:
        await client.instances.create(model=MODEL, instance_types=["L4-1-24G"], organization="acme")
        with pytest.raises(LimitReached) as refused:
            await client.instances.create(model=MODEL, instance_types=["L4-1-24G"], organization="acme")
    assert refused.value.code == "limit_reached"
    assert {name: refused.value.figures[name] for name in ("limited_by", "limit", "used")} == {
        "limited_by": "max_instances", "limit": 1, "used": 1,
    }  # fmt: skip


async def test_what_is_unknown_and_what_is_wrong(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        with pytest.raises(NotFound) as unknown:
            await client.instances.get(NOBODY)
        assert (unknown.value.status, unknown.value.code) == (404, "instance_not_found")
        assert unknown.value.message == "There is no such instance"
        assert unknown.value.hint == f"No instance {NOBODY}; GET /instances lists those that exist."
        for strange in ("../instances", "..", "%2e%2e", "chat?organization=acme"):
            with pytest.raises(NotFound):
                await client.deployments.get(strange)
        with pytest.raises(InvalidRequest) as wrong:
            await client.instances.create(model=MODEL, volume_gb=3)
        assert [field.pointer for field in wrong.value.wrong_fields] == ["/volume_gb"]
        assert (wrong.value.status, wrong.value.code) == (422, "invalid_request")


async def test_what_is_not_possible_now(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        made = await client.instances.create(model=MODEL, instance_types=["L4-1-24G"])
        with pytest.raises(Conflict) as refused:
            await client.instances.archive(made.id)
        assert (refused.value.status, refused.value.code) == (409, "intent_refused")
        await client.deployments.create("chat", model=MODEL)
        with pytest.raises(PreconditionFailed) as taken:
            await client.deployments.create("chat", model=MODEL)
        assert taken.value.code == "deployment_exists"


@pytest.mark.parametrize("answer", [Answer(b"<html>", 200), Answer(b"{}", 200), Answer(b'{"items": [{}]}', 200)])
async def test_what_is_no_answer_of_this_api(api: FakeApi, client_of: MakeClient, answer: Answer) -> None:
    api.says("GET", f"/instances/{NOBODY}", answer)
    async with client_of(api.url, "a-key") as client:
        with pytest.raises(UnexpectedAnswer):
            await client.instances.get(NOBODY)


async def test_an_api_that_is_not_there(client_of: MakeClient) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with client_of(url, "a-key", retries=0) as client:
        with pytest.raises(NoAnswer, match=url):
            await client.instances.get(NOBODY)
        with pytest.raises(NoAnswer, match=url):
            await anext(client.events.follow())


async def test_the_proxy_that_the_environment_names_is_not_asked_for_an_api_on_this_computer(
    api: FakeApi, client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with client_of(api.url, "a-key", retries=0) as client:
        with pytest.raises(NotFound):
            await client.instances.get(NOBODY)


def test_every_status_that_the_document_has_is_a_type_and_each_kind_of_refusal_one_of_its_own() -> None:
    document = yaml.safe_load(FILE.read_text())
    operations = [each for path in document["paths"].values() for each in path.values() if isinstance(each, dict)]
    refused = {int(status) for each in operations for status in each["responses"] if status[0] in "45"}
    assert refused <= BY_STATUS.keys()
    assert len({BY_STATUS[status] for status in STATUS.values()}) == len(STATUS)


def test_the_tree_in_the_module_names_every_error() -> None:
    every = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert every == {
        line.split("── ")[-1].split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line
    } | {"ColdstartError"}


def test_a_refusal_has_what_its_document_says() -> None:
    wrong = [{"pointer": "/model", "detail": "is wrong."}, {"detail": "without a place"}, "none"]
    document = {"type": "urn:x", "title": "Slow down", "status": 429, "detail": "Wait.", "code": "too_many", "at": 3}
    refusal = error_of(httpx.Response(429, json={**document, "errors": wrong}, headers={"Retry-After": "7"}))
    assert type(refusal) is RateLimited
    assert (refusal.message, refusal.hint, refusal.code, refusal.status) == ("Slow down", "Wait.", "too_many", 429)
    assert (refusal.retry_after, refusal.figures) == (7.0, {"at": 3})
    assert refusal.wrong_fields == (WrongField("/model", "is wrong."),)
    assert str(refusal) == "Slow down: Wait."


@pytest.mark.parametrize(
    ("status", "kind"),
    [(418, InvalidRequest), (500, ServerFault), (502, UpstreamFailed), (503, Unavailable), (599, ServerFault)],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"words"'])
def test_what_a_proxy_answers_instead_is_told_by_its_status(status: int, kind: type[Exception], body: bytes) -> None:
    refusal = error_of(httpx.Response(status, content=body, headers={"Retry-After": "Tue, 01 Dec 2026 08:00:00 GMT"}))
    assert type(refusal) is kind
    assert (refusal.code, refusal.hint, refusal.retry_after) == ("", "", None)
    assert str(refusal).startswith(str(status))


async def test_a_client_takes_another_transport() -> None:
    def answered(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a-key"
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    async with AsyncClient("https://api.example.com", "a-key", transport=httpx.MockTransport(answered)) as client:
        assert [one async for one in client.models.list()] == []
