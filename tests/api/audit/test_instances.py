"""Every intent names who asked: in its event, in what follows from it, in the timeline and in the audit log."""

from typing import Any
from uuid import UUID, uuid4

from shared.actor import Actor
from shared.launching import SUBJECT as LAUNCHES
from shared.lifecycle.decide import end
from tests.api.audit.reading import ADMINISTRATOR, entries, in_the_console, of_subject
from tests.api.deployed import added, put
from tests.api.stage import ADMIN_KEY, BODY, MODEL, RunningApi, Stage, until
from tests.lifecycle import facts as f


async def asked_for(api: RunningApi, **more: Any) -> dict[str, Any]:
    answer = await api.client.post("/instances", json=BODY | more)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_a_launch_by_key_is_told_by_its_event_its_timeline_and_the_audit_log(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    shown = await asked_for(api)
    instance = await stage.journal.load(UUID(shown["id"]))
    [requested] = [recorded async for recorded in stage.journal.history(instance.id)]
    asker = Actor.model_validate(ADMINISTRATOR)
    assert (requested.origin.actor, requested.event.requested_by) == ("api", asker)  # type: ignore[union-attr]
    assert (shown["created_by"], shown["requested_by"]) == (ADMINISTRATOR, ADMINISTRATOR)
    [entry] = await of_subject(api, instance.id, 1)
    assert entry["id"] == str(requested.id)
    assert (entry["type"], entry["actor"], entry["organization_id"]) == ("InstanceRequested", ADMINISTRATOR, None)
    assert entry["subject"] == {"kind": "instance", "id": shown["id"], "name": shown["name"]}
    assert entry["details"] == {"model": MODEL, "instance_types": BODY["instance_types"]}
    [row] = (await api.client.get(f"/instances/{instance.id}/timeline")).json()["items"]
    assert (row["actor"], row["requested_by"]) == ("api", ADMINISTRATOR)


async def test_what_follows_from_an_intent_says_who_asked_last_and_who_asked_first(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    instance_id = UUID((await asked_for(api))["id"])
    created = await stage.happened(f.instance_created(), instance_id=instance_id)
    first = Actor.model_validate(ADMINISTRATOR)
    assert (created.created_by, created.requested_by) == (first, first)
    key = await api.user_key("acme") if await api.organization("acme") else ""
    [owner] = [one for one in (await api.client.get("/api-keys")).json()["items"] if one["name"] == "somebody"]
    other = Actor(kind="key", id=owner["id"], name="somebody")
    async with api.as_(key) as member:
        its = UUID((await member.post("/instances", json=BODY)).json()["id"])
    ended = await api.client.delete(f"/instances/{its}")
    gone = await stage.happened(f.instance_terminated(server_id=None), instance_id=its)
    assert (ended.json()["created_by"]["name"], ended.json()["requested_by"]) == ("somebody", ADMINISTRATOR)
    assert (gone.created_by, gone.requested_by) == (other, first)
    assert [(entry["type"], entry["actor"]["name"]) for entry in await of_subject(api, its, 2)] == [
        ("InstanceRequested", "somebody"),
        ("TerminationRequested", "COLDSTART_ADMIN_KEY"),
    ]


async def test_a_session_of_the_console_is_told_apart_from_its_key(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    async with in_the_console(api) as browser:
        launched = (await browser.post("/instances", json=BODY)).json()
        await stage.happened(f.instance_created(), instance_id=UUID(launched["id"]))
        await browser.delete(f"/instances/{launched['id']}")
    session = ADMINISTRATOR | {"kind": "session"}
    assert [(entry["type"], entry["actor"]) for entry in await of_subject(api, launched["id"], 2)] == [
        ("InstanceRequested", session),
        ("TerminationRequested", session),
    ]


async def test_a_replica_is_asked_for_by_the_scaler_and_its_deployment_by_a_key(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    deployment = await put(api, "chat", {"model": MODEL, "instance_types": BODY["instance_types"]})
    replica = await added(stage, "chat")
    reply = await stage.connection.request(
        LAUNCHES,
        f'{{"deployment_id": "{deployment["id"]}", "instance_id": "{replica.instance_id}"}}'.encode(),
        timeout=60,
    )
    assert b"launched" in reply.data
    [launched] = await of_subject(api, replica.instance_id, 1)
    assert launched["actor"] == {"kind": "service", "id": None, "name": "scaler"}
    for verb in ("pause", "resume", "restart"):
        assert (await api.client.post(f"/deployments/chat/{verb}")).status_code == 202
    assert (await api.client.post("/deployments/chat/scale", json={"max_replicas": 3})).status_code == 202
    assert (await api.client.delete("/deployments/chat")).json()["requested_by"] == ADMINISTRATOR
    done = await of_subject(api, deployment["id"], 6)
    assert [(entry["type"], entry["details"].get("why")) for entry in done] == [
        ("DeploymentCreated", None),
        ("DeploymentPaused", None),
        ("DeploymentResumed", None),
        ("DeploymentChanged", "restarted"),
        ("DeploymentChanged", "changed"),
        ("DeploymentDeleted", None),
    ]
    assert {(entry["actor"]["name"], entry["subject"]["kind"]) for entry in done} == {
        ("COLDSTART_ADMIN_KEY", "deployment")
    }
    rows = (await api.client.get("/deployments/chat/timeline")).json()["items"]
    assert [row["requested_by"] for row in rows if row["type"].startswith("Replica")] == [None]
    assert [row["requested_by"] for row in rows if row["type"] == "DeploymentPaused"] == [ADMINISTRATOR]


async def test_a_service_that_ends_an_instance_by_itself_is_named(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    instance_id = UUID((await asked_for(api))["id"])
    before = await stage.journal.load(instance_id)
    await stage.journal.intend(instance_id, end, intent_id=uuid4(), at=before.updated_at)
    [_, ended] = await of_subject(api, instance_id, 2)
    assert ended["actor"] == {"kind": "service", "id": None, "name": "test"}


async def test_what_is_refused_or_repeated_leaves_no_entry(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    once = {"Idempotency-Key": "once"}
    launched = [await api.client.post("/instances", json=BODY, headers=once) for _ in range(2)]
    assert [answer.status_code for answer in launched] == [202, 202]
    instance_id = launched[0].json()["id"]
    assert (await api.client.post(f"/instances/{instance_id}/drain")).status_code == 409
    assert (await api.client.post("/instances", json=BODY | {"instance_types": ["no-such"]})).status_code == 422
    await stage.happened(f.instance_created(), instance_id=UUID(instance_id))
    for _ in range(2):
        assert (await api.client.delete(f"/instances/{instance_id}")).status_code == 202
    await of_subject(api, instance_id, 2)
    assert len(await entries(api.client)) == 2


async def test_two_organisations_do_not_see_each_other(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    launched = {}
    keys = {}
    for slug in ("acme", "globex"):
        await api.organization(slug)
        keys[slug] = await api.user_key(slug)
        async with api.as_(keys[slug]) as member:
            launched[slug] = (await member.post("/instances", json=BODY)).json()["id"]
        await of_subject(api, launched[slug], 1)
    shared = (await asked_for(api))["id"]
    await of_subject(api, shared, 1)

    async def seen(key: str, **query: str) -> set[str]:
        async with api.as_(key) as client:
            found = await entries(client, type="InstanceRequested", **query)
        return {entry["subject"]["id"] for entry in found}

    for slug, other in (("acme", "globex"), ("globex", "acme")):
        assert await seen(keys[slug]) == await seen(keys[slug], organization=slug) == {launched[slug]}
        assert await seen(keys[slug], subject=launched[other]) == set()
        async with api.as_(keys[slug]) as member:
            assert (await member.get("/audit", params={"organization": other})).status_code == 404
        assert await seen(ADMIN_KEY, organization=slug) == {launched[slug]}
    assert await seen(ADMIN_KEY) == {*launched.values(), shared}
    async with api.as_(await api.user_key()) as nobodys:
        assert (await nobodys.get("/audit")).status_code == 403


async def test_the_log_is_read_page_by_page_and_by_filters(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    launched = [(await asked_for(api, name=name))["id"] for name in ("one", "two", "three")]
    await of_subject(api, launched[2], 1)

    async def three() -> bool:
        return len(await entries(api.client)) == 3

    await until(three)
    everything = await entries(api.client)
    assert [entry["subject"]["name"] for entry in everything] == ["three", "two", "one"]
    paged, cursor = [], None
    while True:
        query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        answer = (await api.client.get("/audit", params=query)).json()
        paged += answer["items"]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert paged == everything

    async def names(**query: Any) -> list[str]:
        return [entry["subject"]["name"] for entry in await entries(api.client, **query)]

    at = everything[1]["at"]
    assert await names(since=at) == ["three", "two"]
    assert await names(until=at) == ["one"]
    assert await names(subject="two") == await names(subject=launched[1]) == ["two"]
    assert await names(actor=ADMINISTRATOR["id"]) == await names(actor="COLDSTART_ADMIN_KEY") == ["three", "two", "one"]
    assert await names(actor="scaler") == await names(type="TerminationRequested") == []
    assert await names(type=["TerminationRequested", "InstanceRequested"], limit=1) == ["three"]
    for wrong in (
        {"since": "yesterday"},
        {"until": "2026-01-01T00:00:00"},
        {"type": "InstanceCreated"},
        {"cursor": "x"},
    ):
        assert (await api.client.get("/audit", params=wrong)).status_code == 422, wrong
