"""Organisations, their offerings and their keys, through the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, get_args
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.api.tenancy.organizations import AtLimit
from services.api.tenancy.repository import OrganizationRepository
from shared.actor import Actor
from shared.deployments import decide
from shared.deployments.deployment import DeploymentStatus
from shared.deployments.events import deployment_id
from shared.journal.deployments import DeploymentJournal
from shared.postgres.connection import connect_pool
from tests.api.names import LATER
from tests.api.router.sleeping import asleep
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage, until
from tests.lifecycle import facts
from tests.lifecycle.facts import SOMEBODY

SLUG = "openai-community"
CODE = "gpt2"
LIMITS = {"max_instances": 2, "spend_per_hour": 1.1, "spend_per_month": 500.0, "at_limit": "drain"}


async def test_an_organisation_is_made_shown_changed_and_deleted(stage: Stage) -> None:
    api = await stage.api()
    made = await api.organization("acme", name="Acme Ltd.", **LIMITS)
    assert made == made | LIMITS | {"slug": "acme", "name": "Acme Ltd."}
    assert (await api.client.get("/organizations")).json() == {"items": [made], "next_cursor": None}
    changed = await api.client.patch("/organizations/acme", json={"max_instances": None, "spend_per_hour": 3})
    assert changed.json() == made | {"max_instances": None, "spend_per_hour": 3.0}
    assert (await api.client.get("/organizations/acme")).json() == changed.json()
    assert (await api.client.delete("/organizations/acme")).status_code == 204
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/offerings")):
        answer = await api.client.request(method, f"/organizations/acme{path}", json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")


async def test_a_new_organisation_has_no_limits_and_warns(stage: Stage) -> None:
    api = await stage.api()
    made = await api.organization("acme")
    unlimited = {"max_instances": None, "spend_per_hour": None, "spend_per_month": None, "at_limit": "warn"}
    assert made == made | unlimited | {"name": "acme"}


@pytest.mark.parametrize("slug", ["", "Acme", "a/b", "-a", "a b", "ä", "a" * 64, "a\n", 7, None])
async def test_a_slug_is_lower_case_letters_digits_and_dashes(stage: Stage, slug: object) -> None:
    api = await stage.api()
    answer = await api.client.post("/organizations", json={"slug": slug})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/slug")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_instances", -1),
        ("max_instances", 1.5),
        ("spend_per_hour", -0.01),
        ("spend_per_month", "much"),
        ("at_limit", "explode"),
        ("at_limit", None),
        ("plan", "gold"),
    ],
)
async def test_what_is_wrong_with_a_limit_is_said(stage: Stage, field: str, value: object) -> None:
    api = await stage.api()
    made = await api.organization("acme")
    answer = await api.client.patch("/organizations/acme", json={field: value})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{field}")
    assert (await api.client.get("/organizations/acme")).json() == made


async def test_a_slug_is_taken_once(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api()
    answers = await asyncio.gather(
        *(one.client.post("/organizations", json={"slug": "acme"}) for one in (api, other) * 3)
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    refused = [answer.json() for answer in answers if answer.is_error]
    assert {(problem["code"], problem["errors"][0]["pointer"]) for problem in refused} == {
        ("organization_exists", "/slug")
    }


async def test_an_organisation_is_deleted_only_when_none_of_its_instances_is_left(stage: Stage) -> None:
    api = await stage.api()
    await stage.projector()
    made = await api.organization("acme")
    specification = facts.a_specification(organization_id=made["id"])
    instance = await stage.happened(facts.instance_requested(specification=specification))
    await api.projected(instance)
    refused = await api.client.delete("/organizations/acme")
    assert (refused.status_code, refused.json()["code"]) == (409, "organization_in_use")
    assert (await api.client.delete(f"/instances/{instance.id}")).status_code == 202
    assert (await api.client.delete("/organizations/acme")).status_code == 409
    gone = await stage.happened(facts.instance_terminated(server_id=None), instance_id=instance.id)
    await api.projected(gone)
    assert (await api.client.delete("/organizations/acme")).status_code == 204


async def test_a_deployment_that_only_the_stream_knows_keeps_its_organisation(stage: Stage) -> None:
    """Nobody projects, so the read model shows none."""
    api = await stage.api(projection_wait_seconds=0.01)
    acme = UUID((await api.organization("acme"))["id"])
    made = await asleep(stage, api, organization_id=acme)
    refused = await api.client.delete("/organizations/acme")
    assert (refused.status_code, refused.json()["code"]) == (409, "organization_in_use")
    await made.intend(decide.delete)
    assert (await api.client.delete("/organizations/acme")).status_code == 204


async def test_a_deployment_that_is_made_while_its_organisation_is_deleted_is_deleted_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await stage.api(projection_wait_seconds=0.01)
    acme = UUID((await api.organization("acme"))["id"])
    remove, made = OrganizationRepository.remove, []

    async def meanwhile(self: OrganizationRepository, organization_id: UUID, *, by: Actor) -> None:
        made.append(await asleep(stage, api, organization_id=acme))
        await remove(self, organization_id, by=by)

    monkeypatch.setattr(OrganizationRepository, "remove", meanwhile)
    assert (await api.client.delete("/organizations/acme")).status_code == 204
    assert (await made[0].journal.load(made[0].id)).status is DeploymentStatus.DELETED


async def test_a_deployment_whose_organisation_was_deleted_while_it_was_made_is_deleted_and_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an api on another machine, which this one had not heard of."""
    api = await stage.api(projection_wait_seconds=0.01)
    acme = UUID((await api.organization("acme"))["id"])
    record = DeploymentJournal.intend

    async def deleted_meanwhile(self: DeploymentJournal, *args: Any, **more: Any) -> Any:
        recorded = await record(self, *args, **more)
        async with connect_pool(stage.database_url, name="test") as pool:
            await OrganizationRepository(pool).remove(acme, by=SOMEBODY)
        return recorded

    monkeypatch.setattr(DeploymentJournal, "intend", deleted_meanwhile)
    refused = await api.client.put("/deployments/chat", params={"organization": "acme"}, json={"model": MODEL})
    assert (refused.status_code, refused.json()["code"]) == (404, "organization_not_found")
    left = await DeploymentJournal(stage.connection, actor="test", source="/t").load(deployment_id("chat", acme))
    assert left.status is DeploymentStatus.DELETED


async def test_an_offering_is_made_shown_changed_and_taken_back(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    made = await api.offering("acme", "Chat_v1.5-x", MODEL)
    assert made == made | {
        "name": "acme/Chat_v1.5-x",
        "model": MODEL,
        "active": True,
        "shadowed": False,
        "detail": None,
    }
    path = "/organizations/acme/offerings"
    assert (await api.client.get(path)).json() == {"items": [made], "next_cursor": None}
    off = await api.client.patch(f"{path}/{made['code']}", json={"active": False})
    assert off.json() == made | {"active": False}
    other = await api.client.patch(f"{path}/{made['code']}", json={"model": EMBEDDING_MODEL})
    assert (other.json()["model"], other.json()["active"]) == (EMBEDDING_MODEL, False)
    taken = await api.client.post(path, json={"code": made["code"], "model": MODEL})
    assert (taken.status_code, taken.json()["code"]) == (409, "offering_exists")
    assert taken.json()["errors"][0]["pointer"] == "/code"
    assert (await api.client.delete(f"{path}/{made['code']}")).status_code == 204
    for method, body in (("PATCH", {}), ("DELETE", None)):
        answer = await api.client.request(method, f"{path}/{made['code']}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "offering_not_found")


@pytest.mark.parametrize("code", ["", "a/b", "a b", ".a", "-a", "ä", "a" * 101, "a\n"])
async def test_a_code_is_letters_digits_dots_underscores_and_dashes(stage: Stage, code: str) -> None:
    api = await stage.api()
    await api.organization("acme")
    answer = await api.client.post("/organizations/acme/offerings", json={"code": code, "model": MODEL})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/code")


async def test_an_offering_of_a_model_that_cannot_be_had_is_refused(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    answer = await api.client.post("/organizations/acme/offerings", json={"code": "x", "model": "no/such"})
    assert (answer.status_code, answer.json()["code"]) == (422, "model_not_found")


async def test_an_offering_that_a_public_model_s_id_equals_is_refused(stage: Stage) -> None:
    api = await stage.api()
    await api.organization(SLUG)
    await api.client.post("/models", json={"model": LATER})
    answer = await api.client.post(f"/organizations/{SLUG}/offerings", json={"code": CODE, "model": MODEL})
    assert (answer.status_code, answer.json()["code"]) == (409, "offering_collides")
    assert answer.json()["errors"][0]["pointer"] == "/code"
    assert (await api.client.get(f"/organizations/{SLUG}/offerings")).json()["items"] == []


@pytest.mark.parametrize("by", ["models", "instances"])
async def test_an_offering_that_a_model_collides_with_later_is_shadowed_and_that_is_said(stage: Stage, by: str) -> None:
    api, other = [await stage.api(refresh_seconds=3600) for _ in range(2)]
    await api.organization(SLUG)
    made = await api.offering(SLUG, CODE, MODEL)
    body: dict[str, Any] = {"model": LATER} | ({"instance_types": ["L4-1-24G"]} if by == "instances" else {})
    with capture_logs() as logs:
        assert (await api.client.post(f"/{by}", json=body)).is_success
    assert {"event": "offering shadowed", "log_level": "warning", "organization": SLUG, "name": LATER} in logs
    for one in (api, other):
        async with one.as_(await one.user_key(SLUG)) as member:

            async def told() -> bool:
                (item,) = (await member.get(f"/organizations/{SLUG}/offerings")).json()["items"]
                return bool(
                    item == made | {"shadowed": True, "detail": item["detail"]} and "another code" in item["detail"]
                )

            await until(told)
            listed = (await member.get("/v1/models")).json()["data"]
            assert [model["id"] for model in listed].count(LATER) == 1


async def test_a_user_s_key_sees_its_own_organisation_and_no_other(stage: Stage) -> None:
    api = await stage.api()
    mine, _ = await api.organization("acme"), await api.organization("globex")
    offering = await api.offering("acme", "chat", MODEL)
    async with api.as_(await api.user_key("acme")) as member:
        assert (await member.get("/organizations")).json()["items"] == [mine]
        assert (await member.get("/organizations/acme")).json() == mine
        assert (await member.get("/organizations/acme/offerings")).json()["items"] == [offering]
        for path in ("globex", "globex/offerings", "nobody", "nobody/offerings"):
            answer = await member.get(f"/organizations/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "organization_not_found")
        for method, path in (
            ("POST", "/organizations"),
            ("PATCH", "/organizations/acme"),
            ("DELETE", "/organizations/acme"),
            ("POST", "/organizations/acme/offerings"),
            ("PATCH", "/organizations/acme/offerings/chat"),
            ("DELETE", "/organizations/acme/offerings/chat"),
            ("GET", "/api-keys"),
            ("POST", "/models"),
        ):
            answer = await member.request(method, path, json={} if method in {"POST", "PATCH"} else None)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (method, path)
    async with api.as_(await api.user_key()) as nobody:
        for path in ("/organizations", "/organizations/acme", "/organizations/acme/offerings"):
            assert (await nobody.get(path)).status_code == 403


KEY_LIMITS = {
    "requests_per_minute": 60,
    "tokens_per_minute": 10_000,
    "max_concurrent": 4,
    "allowed_models": [MODEL, "acme/chat"],
}


async def test_a_key_has_an_organisation_and_limits_that_can_be_changed(stage: Stage) -> None:
    api = await stage.api()
    organization = await api.organization("acme")
    made = (await api.client.post("/api-keys", json={"name": "ci", "organization": "acme", **KEY_LIMITS})).json()
    assert made == made | KEY_LIMITS | {"organization_id": organization["id"], "role": "user"}
    listed = {name: value for name, value in made.items() if name != "key"}
    assert (await api.client.get("/api-keys")).json()["items"] == [listed]
    change = {"tokens_per_minute": None, "allowed_models": [EMBEDDING_MODEL]}
    changed = await api.client.patch(f"/api-keys/{made['id']}", json=change)
    assert changed.json() == listed | change
    assert (await api.client.get("/api-keys")).json()["items"] == [listed | change]


@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_minute", "max_concurrent"])
@pytest.mark.parametrize("value", [0, -1, 2**31, 1.5, "many"])
async def test_a_key_s_limits_are_positive(stage: Stage, field: str, value: object) -> None:
    api = await stage.api()
    made = (await api.client.post("/api-keys", json={"name": "ci"})).json()
    for answer in (
        await api.client.post("/api-keys", json={"name": "ci", field: value}),
        await api.client.patch(f"/api-keys/{made['id']}", json={field: value}),
    ):
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{field}")


@pytest.mark.parametrize(
    "body", [{"organization": "nobody"}, {"organization": "acme", "role": "admin"}, {"allowed_models": []}]
)
async def test_a_key_that_makes_no_sense_is_refused(stage: Stage, body: dict[str, Any]) -> None:
    api = await stage.api()
    await api.organization("acme")
    answer = await api.client.post("/api-keys", json={"name": "ci", **body})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(body))}")


async def test_a_key_for_an_organisation_that_another_process_has_just_made_is_made(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api(refresh_seconds=60)
    await api.organization("acme")
    assert await other.user_key("acme")


async def test_the_limits_of_an_unknown_key_cannot_be_changed(stage: Stage) -> None:
    api = await stage.api()
    for key_id in ("8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59", "nonsense"):
        assert (await api.client.patch(f"/api-keys/{key_id}", json={})).status_code == 404


async def fresh(change: Awaitable[Any], seen: Callable[[], Awaitable[bool]]) -> None:
    await change
    await until(seen)


async def test_every_api_is_told_of_a_change_and_waits_for_no_refresh(stage: Stage) -> None:
    api, other = await stage.api(), await stage.api(refresh_seconds=3600)
    await api.organization("acme")
    await api.client.post("/models", json={"model": MODEL})
    key = await api.user_key("acme")
    async with other.as_(key) as there:

        async def offered() -> bool:
            answer = await there.get("/v1/models")
            return answer.is_success and "acme/chat" in [model["id"] for model in answer.json()["data"]]

        async def not_offered() -> bool:
            answer = await there.post("/v1/chat/completions", json={"model": "acme/chat", "messages": []})
            return answer.status_code == 404

        async def refused() -> bool:
            return (await there.get("/v1/models")).status_code == 401

        path = "/organizations/acme/offerings/chat"
        await fresh(api.offering("acme", "chat", MODEL), offered)
        await fresh(api.client.patch(path, json={"active": False}), not_offered)
        await fresh(api.client.patch(path, json={"active": True}), offered)
        await fresh(api.client.delete(path), not_offered)
        await fresh(api.client.delete("/organizations/acme"), refused)
        assert (await api.client.get("/api-keys")).json()["items"] == []


async def test_the_choices_of_a_constraint_are_those_of_the_type(stage: Stage) -> None:
    await stage.api()
    connection = await asyncpg.connect(stage.database_url)
    try:
        definition = await connection.fetchval(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'organizations_at_limit_check'"
        )
    finally:
        await connection.close()
    assert set(definition.split("'")[1::2]) == set(get_args(AtLimit))
