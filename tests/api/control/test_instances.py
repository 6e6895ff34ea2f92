import asyncio
from typing import Any
from uuid import uuid4

import httpx
from structlog.testing import capture_logs

from tests.api.stage import BODY, MODEL, RunningApi, Stage
from tests.lifecycle import facts

FIELDS = {
    *(
        "created_by",
        "requested_by",
        "id",
        "organization_id",
        "name",
        "provider",
        "zone",
        "instance_type",
        "model",
        "status",
        "progress_percent",
    ),
    *(
        "status_since",
        "step",
        "step_since",
        "eta",
        "vllm_version",
        "attempt",
        "ip_address",
        "error",
        "delay",
        "hourly_price",
        "currency",
        "cost",
        "server_on",
        *("actions", "advice", "as_of", "doing", "group", "serving", "status_label", "step_label"),
        *("purpose", "replica", "task", "tone", "waits_for", "where"),
        "created_at",
        "ready_at",
        "updated_at",
        "version",
    ),
    "image",
    "worker_tls",
}


async def test_an_instance_that_is_asked_for_is_accepted_and_can_be_read_at_once(stage: Stage) -> None:
    api = await stage.api()
    accepted = await api.client.post("/instances", json=BODY)
    assert accepted.status_code == 202, accepted.text
    instance = accepted.json()
    assert accepted.headers["location"] == f"/instances/{instance['id']}"
    assert set(instance) == FIELDS | {"warnings"}
    assert instance.pop("warnings") == []
    assert (instance["status"], instance["progress_percent"], instance["version"]) == ("provisioning", 5, 1)
    assert (instance["name"], instance["model"]) == ("qwen2.5-0.5b-instruct", MODEL)
    read = (await api.client.get(accepted.headers["location"])).json()
    passing = {"eta": None, "as_of": None}
    assert read | passing == instance | passing


async def test_what_was_asked_for_is_what_is_recorded(stage: Stage) -> None:
    api = await stage.api()
    wanted: dict[str, Any] = {
        "task": "generate",
        "name": "My model 1",
        "provider": "scaleway",
        "zones": ["fr-par-2", "fr-par-1"],
        "instance_types": ["H100-1-80G", "L4-1-24G"],
        "volume_gb": 300,
        "image": "vllm/vllm-openai:v0.32.0",
        "revision": "refs/pr/1",
        "vllm_args": ["--max-model-len", "8192", "--enforce-eager"],
        "max_lifetime": 86_400,
        "idle_shutdown": 1_800,
        "keep_for_inspection": True,
    }
    accepted = await api.client.post("/instances", json={"model": MODEL, **wanted})
    assert accepted.status_code == 202, accepted.text
    recorded = (await stage.journal.load(accepted.json()["id"])).specification.model_dump(mode="json")
    assert {name: recorded[name] for name in wanted} == wanted
    assert (recorded["task"], recorded["organization_id"]) == ("generate", None)


async def test_the_same_idempotency_key_gives_the_same_instance_and_another_body_is_refused(stage: Stage) -> None:
    api = await stage.api()
    key = {"Idempotency-Key": "deploy-7"}
    answers = await asyncio.gather(*(api.client.post("/instances", json=BODY, headers=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len([answer for answer in answers if "idempotency-replayed" not in answer.headers]) == 1
    assert await stage.last_sequence() == 1
    other = await api.client.post("/instances", json=BODY | {"volume_gb": 999}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert await stage.last_sequence() == 1


async def test_an_idempotency_key_belongs_to_the_key_that_used_it(stage: Stage) -> None:
    api = await stage.api()
    made = (await api.client.post("/api-keys", json={"name": "second", "role": "admin"})).json()
    header = {"Idempotency-Key": "deploy-7"}
    first = await api.client.post("/instances", json=BODY, headers=header)
    async with api.as_(made["key"]) as other:
        second = await other.post("/instances", json=BODY, headers=header)
    assert first.json()["id"] != second.json()["id"]


async def test_a_repetition_is_answered_although_the_types_are_no_longer_offered(stage: Stage) -> None:
    api = await stage.api()
    header = {"Idempotency-Key": "deploy-7"}
    first = await api.client.post("/instances", json=BODY, headers=header)
    await stage.connection.jetstream().delete_key_value("instance_types")
    again = await api.client.post("/instances", json=BODY, headers=header)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


async def test_a_list_shows_what_was_just_made_newest_first_page_by_page(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    made = [(await api.client.post("/instances", json=BODY | {"name": f"n{number}"})).json() for number in range(5)]
    newest_first = [instance["id"] for instance in reversed(made)]
    assert await ids(api, limit=50) == newest_first
    assert await ids(api, limit=2) == newest_first
    assert await ids(api, limit=2, status="provisioning", model=MODEL) == newest_first
    assert await ids(api, limit=2, status="ready") == []
    assert await ids(api, limit=2, model="some/other") == []
    await api.client.delete(f"/instances/{made[0]['id']}")
    assert await ids(api, limit=2, status="terminating") == [made[0]["id"]]
    assert await ids(api, limit=2, status=["terminating", "provisioning"]) == newest_first


async def ids(api: RunningApi, **query: Any) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = (await api.client.get("/instances", params=query | ({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) <= query["limit"]
        assert all(set(item) == FIELDS for item in page["items"])
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_the_timeline_tells_everything_in_order_page_by_page(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    instance = await stage.ready("127.0.0.9")
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await api.client.get(f"/instances/{instance.id}/timeline", params=query)).json()
        rows += page["items"]
        cursor = page["next_cursor"]
    assert [row["version"] for row in rows] == list(range(1, instance.version + 1))
    assert [rows[0]["type"], rows[-1]["type"]] == ["InstanceRequested", "InstanceReady"]
    assert set(rows[0]) == {
        *("version", "sequence", "type", "status", "progress_percent", "attempt", "occurred_at", "recorded_at"),
        *("actor", "requested_by", "data"),
    }
    assert rows[-1]["progress_percent"] == 100
    assert rows[3]["data"]["ip_address"] == "127.0.0.9"


async def test_an_instance_can_be_ended_drained_reinstalled_and_put_away_when_its_status_allows_it(
    stage: Stage,
) -> None:
    api = await stage.api()
    instance = await stage.ready("127.0.0.9")

    async def ask(verb: str) -> httpx.Response:
        return await api.client.post(f"/instances/{instance.id}/{verb}")

    with capture_logs() as logs:
        refused = await ask("archive")
    assert (refused.status_code, refused.json()["code"]) == (409, "intent_refused")
    [line] = [entry for entry in logs if entry["event"] == "request refused"]
    assert (line["code"], line["reason"]) == ("intent_refused", refused.json()["detail"])
    assert str(instance.id) in line["path"]
    assert "terminate it first" in refused.json()["detail"]
    reinstalled = await ask("reinstall")
    assert (reinstalled.status_code, reinstalled.json()["status"], reinstalled.json()["attempt"]) == (
        *(202, "installing"),
        2,
    )
    assert (await ask("drain")).status_code == 409
    await stage.happened(
        facts.ssh_install_completed(attempt=2), facts.instance_ready(attempt=2), instance_id=instance.id
    )
    drained = await ask("drain")
    assert (drained.status_code, drained.json()["status"]) == (202, "draining")
    terminated = await api.client.delete(f"/instances/{instance.id}")
    assert (terminated.status_code, terminated.json()["status"]) == (202, "terminating")
    before = await stage.last_sequence()
    again = await api.client.delete(f"/instances/{instance.id}")
    assert (again.status_code, again.json()["status"]) == (202, "terminating")
    assert await stage.last_sequence() == before
    await stage.happened(facts.instance_terminated(), instance_id=instance.id)
    gone = await api.client.delete(f"/instances/{instance.id}")
    assert (gone.status_code, gone.json()["code"]) == (409, "intent_refused")
    archived = await ask("archive")
    assert (archived.status_code, archived.json()["status"]) == (202, "archived")


async def test_an_archived_instance_is_listed_for_those_who_ask_for_it(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    instance = await stage.ready("127.0.0.9")
    await stage.happened(facts.termination_requested(), facts.instance_terminated(), instance_id=instance.id)
    await api.client.post(f"/instances/{instance.id}/archive")
    assert await ids(api, limit=5) == []
    assert await ids(api, limit=5, status="archived") == [str(instance.id)]


async def test_a_sender_s_trace_is_carried_into_the_event(stage: Stage) -> None:
    api = await stage.api()
    trace = f"00-{uuid4().hex}-{uuid4().hex[:16]}-01"
    accepted = await api.client.post("/instances", json=BODY, headers={"traceparent": trace})
    (recorded,) = [event async for event in stage.journal.history(accepted.json()["id"])]
    assert (recorded.origin.traceparent, recorded.origin.actor) == (trace, "api")
