"""An organisation's key shows everything of its own, and not even the existence of others."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import httpx
import pytest

from services.api.access.api_keys import ApiKey, Role
from services.api.tenancy.ownership import may_see
from shared.lifecycle.instance import Instance
from tests.api.feed.test_events import following, types
from tests.api.stage import BODY, MODEL, RunningApi, Stage
from tests.lifecycle import facts as f

OF_ONE = (
    ("GET", ""),
    ("GET", "/timeline"),
    ("GET", "/logs"),
    ("GET", "/events"),
    ("POST", "/drain"),
    ("POST", "/reinstall"),
    ("POST", "/relaunch"),
    ("POST", "/archive"),
    ("DELETE", ""),
)


@dataclass
class Two:
    """`mine` is acme's, `theirs` globex's, `shared` everybody's; `member` has a key of acme's."""

    stage: Stage
    api: RunningApi
    member: httpx.AsyncClient
    acme: UUID
    globex: UUID
    mine: Instance
    theirs: Instance
    shared: Instance


@pytest.fixture
async def two(stage: Stage) -> AsyncGenerator[Two]:
    await stage.projector()
    api = await stage.api()
    acme, globex = [UUID((await api.organization(slug))["id"]) for slug in ("acme", "globex")]
    owners: tuple[UUID | None, ...] = (acme, globex, None)
    mine, theirs, shared = [await stage.ready("127.0.0.1", organization_id=owner) for owner in owners]
    for instance in (mine, theirs, shared):
        await api.projected(instance)
    async with api.as_(await api.user_key("acme")) as member:
        yield Two(stage, api, member, acme, globex, mine, theirs, shared)


@pytest.mark.parametrize(("method", "path"), OF_ONE)
async def test_another_s_instance_is_as_if_it_did_not_exist(two: Two, method: str, path: str) -> None:
    before = await two.stage.last_sequence()
    nobody_s = uuid4()
    answers = {
        other: await two.member.request(method, f"/instances/{other}{path}")
        for other in (two.theirs.id, two.shared.id, nobody_s)
    }
    for other, answer in answers.items():
        assert (answer.status_code, answer.json()["code"]) == (404, "instance_not_found")
        assert answer.text.replace(str(other), str(nobody_s)) == answers[nobody_s].text
    assert await two.stage.last_sequence() == before


async def test_one_s_own_instance_is_shown_and_drained_and_reinstalled_and_terminated(two: Two) -> None:
    at = f"/instances/{two.mine.id}"
    assert (await two.member.get(at)).json()["organization_id"] == str(two.acme)
    assert len((await two.member.get(f"{at}/timeline")).json()["items"]) == two.mine.version
    reinstalled = await two.member.post(f"{at}/reinstall")
    assert (reinstalled.status_code, reinstalled.json()["attempt"]) == (202, 2)
    await two.stage.happened(f.instance_ready(attempt=2), instance_id=two.mine.id)
    assert (await two.member.post(f"{at}/drain")).json()["status"] == "draining"
    assert (await two.member.delete(at)).json()["status"] == "terminating"
    assert (await two.member.delete(at)).json()["status"] == "terminating", "asked for twice"
    server = two.mine.resources.server_id
    await two.stage.happened(f.instance_terminated(server_id=server), instance_id=two.mine.id)
    assert (await two.member.post(f"{at}/archive")).json()["status"] == "archived"


async def test_lists_hold_what_is_one_s_own(two: Two) -> None:
    async def listed(client: httpx.AsyncClient, **query: str) -> set[str]:
        return {item["id"] for item in (await client.get("/instances", params=query)).json()["items"]}

    mine, theirs, shared = (str(one.id) for one in (two.mine, two.theirs, two.shared))
    for query in ({}, {"organization": "acme"}, {"model": MODEL}, {"status": "ready"}):
        assert await listed(two.member, **query) == {mine}
    assert await listed(two.api.client) == {mine, theirs, shared}
    assert await listed(two.api.client, organization="globex") == {theirs}
    for client, slug in ((two.member, "globex"), (two.member, "nobody"), (two.api.client, "nobody")):
        for path in ("/instances", "/costs"):
            answer = await client.get(path, params={"organization": slug})
            assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")


async def test_costs_are_one_s_own(two: Two) -> None:
    async def of(client: httpx.AsyncClient, **query: str) -> set[str | None]:
        period = {"from": "2026-01-01", "to": "2026-01-31"}
        items = (await client.get("/costs", params=period | query)).json()["items"]
        return {item["organization_id"] for item in items}

    assert await of(two.member) == {str(two.acme)}
    assert await of(two.member, organization="acme") == {str(two.acme)}
    assert await of(two.api.client) == {str(two.acme), str(two.globex), None}
    assert await of(two.api.client, organization="globex") == {str(two.globex)}


async def test_events_are_one_s_own_live_and_in_replay(two: Two) -> None:
    as_member = replace(two.api, client=two.member)
    async with following(as_member, **{"from": "start"}) as follower:
        replayed = await follower.take(two.mine.version)
        assert {message.json()["subject"] for message in replayed} == {str(two.mine.id)}
        for other in (two.theirs, two.shared, two.mine):
            await two.stage.happened(f.health_lost(), instance_id=other.id)
        (live,) = await follower.take(1)
        assert (types([live]), live.json()["subject"]) == (["HealthLost"], str(two.mine.id))
    async with following(as_member, last=replayed[-1].id) as follower:
        assert [message.id for message in await follower.take(1)] == [live.id]
    async with following(as_member, f"/instances/{two.mine.id}/events", **{"from": "start"}) as follower:
        assert [message.id for message in await follower.take(len(replayed))] == [message.id for message in replayed]


async def test_an_instance_that_a_member_asks_for_is_its_organisation_s(two: Two) -> None:
    for body in (BODY, BODY | {"organization": "acme"}):
        accepted = await two.member.post("/instances", json=body)
        assert (accepted.status_code, accepted.json()["organization_id"]) == (202, str(two.acme))
    before = await two.stage.last_sequence()
    for slug in ("globex", "nobody"):
        refused = await two.member.post("/instances", json=BODY | {"organization": slug})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert slug not in refused.text
    assert await two.stage.last_sequence() == before


async def test_an_administrator_asks_for_any_organisation_s_or_everybody_s(two: Two) -> None:
    for slug, owner in ((None, None), ("acme", str(two.acme)), ("globex", str(two.globex))):
        accepted = await two.api.client.post("/instances", json=BODY | {"organization": slug})
        assert (accepted.status_code, accepted.json()["organization_id"]) == (202, owner)
    refused = await two.api.client.post("/instances", json=BODY | {"organization": "nobody"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/organization")


async def test_an_instance_may_be_asked_for_by_an_offering_s_name(two: Two) -> None:
    await two.api.offering("acme", "chat", MODEL)
    accepted = await two.member.post("/instances", json=BODY | {"model": "acme/chat"})
    assert (accepted.status_code, accepted.json()["model"]) == (202, MODEL)
    refused = await two.api.client.post("/instances", json=BODY | {"model": "acme/chat"})
    assert (refused.status_code, refused.json()["code"]) == (422, "model_not_found")


NOT_OF_THE_CONTROL_API = ("/v1/", "/tokenize", "/detokenize", "/healthz", "/readyz", "/metrics")
FOR_ANY_KEY = {
    *(("get", f"/models{path}") for path in ("", "/resolve", "/search")),
    ("get", "/instance-types"),
    ("get", "/usage"),
}
FOR_MEMBERS = {
    ("get", "/instances"),
    ("post", "/instances"),
    ("get", "/instances/{instance_id}"),
    ("delete", "/instances/{instance_id}"),
    ("get", "/instances/{instance_id}/timeline"),
    ("get", "/instances/{instance_id}/logs"),
    ("get", "/instances/{instance_id}/events"),
    ("get", "/instances/{instance_id}/steps"),
    ("get", "/instances/{instance_id}/critical-path"),
    ("post", "/instances/{instance_id}/drain"),
    ("post", "/instances/{instance_id}/reinstall"),
    ("post", "/instances/{instance_id}/relaunch"),
    ("post", "/instances/{instance_id}/archive"),
    ("get", "/deployments"),
    *((method, "/deployments/{name}") for method in ("get", "put", "delete")),
    *(("get", f"/deployments/{{name}}/{what}") for what in ("explain", "load", "timeline")),
    *(("post", f"/deployments/{{name}}/{verb}") for verb in ("pause", "restart", "resume", "rollback", "scale")),
    ("post", "/models/fit"),
    ("get", "/events"),
    ("get", "/audit"),
    ("get", "/costs"),
    ("get", "/organizations"),
    ("get", "/organizations/{slug}"),
    ("get", "/organizations/{slug}/offerings"),
    *((method, "/webhooks") for method in ("get", "post")),
    *((method, "/webhooks/{webhook_id}") for method in ("get", "patch", "delete")),
    ("get", "/webhooks/{webhook_id}/deliveries"),
    *(("post", f"/webhooks/{{webhook_id}}/{verb}") for verb in ("replay", "rotate-secret", "test")),
}


async def test_every_route_is_for_whom_it_should_be(two: Two) -> None:
    """Bodies and ids are invalid: a key that may ask gets another error than 403 for them."""
    document = (await two.api.client.get("/schema/openapi.json")).json()
    routes = {(method, path) for path, item in document["paths"].items() for method in item}
    control = {route for route in routes if not route[1].startswith(NOT_OF_THE_CONTROL_API)}
    assert control >= FOR_MEMBERS | FOR_ANY_KEY
    streams = {("get", "/events")}
    async with two.api.as_(await two.api.user_key()) as nobody:
        for client, allowed in ((two.member, FOR_MEMBERS | FOR_ANY_KEY), (nobody, FOR_ANY_KEY)):
            may = set()
            for method, path in control - (streams & allowed):
                address = path.format(
                    instance_id=two.theirs.id, slug="globex", key_id=uuid4(), model_id=uuid4(), code="chat",
                    name="chat", image_id="image", webhook_id=uuid4(),
                )  # fmt: skip
                body = {"": ""} if method in {"post", "put", "patch"} else None
                if (await client.request(method, address, json=body)).status_code != 403:
                    may.add((method, path))
            assert may == allowed - streams


@pytest.mark.parametrize(("role", "sees"), [(Role.ADMIN, True), (Role.USER, False)])
def test_a_user_s_key_of_no_organisation_sees_not_even_what_is_shared(role: Role, sees: bool) -> None:
    key = ApiKey(id=uuid4(), name="somebody", role=role, prefix="csk_", created_at=f.AT)
    assert may_see(key, f.given(f.instance_requested())) is sees
