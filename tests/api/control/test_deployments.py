"""Deployments are declared, read, changed and ended over HTTP."""

import asyncio
from typing import Any

import pytest

from shared.deployments.events import deployment_id, replica_id
from shared.deployments.words import in_words
from shared.lifecycle.fact import Action
from tests.api.deployed import added, deployments, put
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.deployments import facts as d
from tests.deployments.recording import happened
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

BODY: dict[str, Any] = {"model": MODEL, "instance_types": ["L4-1-24G"]}
EVERYTHING: dict[str, Any] = {
    "organization": None,
    "model": MODEL,
    "task": "generate",
    "provider": "scaleway",
    "zones": ["fr-par-2", "fr-par-1"],
    "instance_types": ["H100-1-80G", "L4-1-24G"],
    "volume_gb": 300,
    "image": "vllm/vllm-openai:v0.32.0",
    "revision": "refs/pr/1",
    "vllm_args": ["--max-model-len", "8192"],
    "min_replicas": 1,
    "max_replicas": 4,
    "target_in_flight": 8.5,
    "scale_down_after": 120,
    "scale_to_zero_after": None,
    "hold": 30,
    "schedule": [{"cron": "0 8 * * 1-5", "time_zone": "Europe/Paris", "min_replicas": 2, "max_replicas": 6}],
    "fallback": EMBEDDING_MODEL,
    "rollout": {"surge": 2, "settle": 60},
}


async def test_a_deployment_that_is_declared_is_there_at_once(stage: Stage) -> None:
    api = await stage.api()
    made = await api.client.put("/deployments/chat", json=BODY)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/deployments/chat"
    shown = made.json()
    assert shown["id"] == str(deployment_id("chat", None))
    assert (shown["name"], shown["status"], shown["model"], shown["version"]) == ("chat", "active", MODEL, 1)
    assert (shown["wanted"], shown["ready"], shown["on_their_way"], shown["replicas"]) == (0, 0, 0, [])
    assert (shown["hourly_price"], shown["monthly_price"], shown["currency"]) == (0.0, 0.0, None)
    assert shown.pop("warnings") == []
    read = (await api.client.get(made.headers["location"])).json()
    passing = {"as_of": None, "load": None}  # the api itself may be heard by now
    assert read | passing == shown | passing


async def test_what_was_declared_is_what_is_recorded_and_comes_back_as_it_can_be_sent(stage: Stage) -> None:
    api = await stage.api()
    await api.client.post("/models", json={"model": EMBEDDING_MODEL})
    made = await api.client.put("/deployments/chat", json=EVERYTHING)
    assert made.status_code == 201, made.text
    assert made.json()["asked"] == EVERYTHING
    wish = (await deployments(stage).load(deployment_id("chat", None))).wish
    assert wish.template.vllm_args == ("--max-model-len", "8192")
    assert (wish.scaling.scale_to_zero_after, wish.scaling.schedule[0].time_zone) == (None, "Europe/Paris")
    again = await api.client.put("/deployments/chat", json=made.json()["asked"])
    assert (again.status_code, again.json()["version"]) == (200, 1)


async def test_what_is_so_already_is_not_recorded_again_also_if_many_declare_it_at_once(stage: Stage) -> None:
    api = await stage.api()
    answers = await asyncio.gather(*(api.client.put("/deployments/chat", json=BODY) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 201]
    assert {answer.json()["version"] for answer in answers} == {1}
    assert await stage.last_sequence() == 1
    again = await api.client.put("/deployments/chat", json=made_any((await shown(api))["asked"]))
    assert (again.status_code, await stage.last_sequence()) == (200, 1)


def made_any(asked: dict[str, Any]) -> dict[str, Any]:
    return asked | {"zones": "any"}


async def test_what_is_so_already_is_not_judged_again(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    await stage.connection.jetstream().delete_key_value("instance_types")
    again = await api.client.put("/deployments/chat", json=BODY)
    assert again.status_code == 200, again.text
    fewer = await api.client.put("/deployments/chat", json=BODY | {"max_replicas": 3})
    assert (fewer.status_code, fewer.json()["revision"]) == (200, 1)
    other = await api.client.put("/deployments/chat", json=BODY | {"volume_gb": 300})
    assert (other.status_code, other.json()["code"]) == (503, "instance_types_unknown")


async def test_a_change_of_what_a_replica_is_is_a_new_revision_and_of_how_many_is_none(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    scaled = await put(api, "chat", BODY | {"max_replicas": 3})
    assert (scaled["version"], scaled["revision"], scaled["asked"]["max_replicas"]) == (2, 1, 3)
    changed = await put(api, "chat", BODY | {"volume_gb": 300})
    assert (changed["version"], changed["revision"], changed["asked"]["max_replicas"]) == (3, 2, 1)


async def test_a_model_that_is_deployed_may_be_asked_for_before_anything_is_launched(stage: Stage) -> None:
    api = await stage.api()
    assert (await api.client.get("/models")).json()["items"] == []
    await put(api, "chat", BODY)
    assert [model["model"] for model in (await api.client.get("/models")).json()["items"]] == [MODEL]


WRONG: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"min_replicas": 3, "max_replicas": 2}, ["/min_replicas"]),
    ({"min_replicas": -1}, ["/min_replicas"]),
    ({"max_replicas": 201}, ["/max_replicas"]),
    ({"scale_down_after": -1, "hold": -5}, ["/hold", "/scale_down_after"]),
    ({"scale_to_zero_after": -1}, ["/scale_to_zero_after"]),
    ({"target_in_flight": 0}, ["/target_in_flight"]),
    ({"target_in_flight": 5e-324}, ["/target_in_flight"]),
    ({"scale_down_after": 86_401, "scale_to_zero_after": 86_401}, ["/scale_down_after", "/scale_to_zero_after"]),
    ({"surge": 2}, ["/surge"]),
    ({"rollout": {"surge": 0}}, ["/rollout/surge"]),
    ({"zones": ["mars-1"]}, ["/zones/0"]),
    ({"instance_types": ["L4-1-24G", "TPU"]}, ["/instance_types/1"]),
    ({"provider": "nobody"}, ["/provider"]),
    ({"task": "embed"}, ["/task"]),
    ({"vllm_args": ["--api-key=x"]}, ["/vllm_args/0"]),
    ({"revision": "no-such-branch"}, ["/revision"]),
    ({"fallback": "acme/none"}, ["/fallback"]),
    ({"fallback": MODEL}, ["/fallback"]),
    (
        {
            "schedule": [
                {"cron": "0 8 * * 1-5", "min_replicas": 2, "max_replicas": 1},
                {"cron": "0 8 * * 1-5", "time_zone": "Mars/Base", "min_replicas": 0, "max_replicas": 1},
            ]
        },
        ["/schedule/0/min_replicas", "/schedule/1/time_zone"],
    ),
    (
        {
            "schedule": [
                {"cron": "0 8 * * 1-5", "min_replicas": 1, "max_replicas": 1},
                {"cron": "0 8 * * 1-5", "min_replicas": 0, "max_replicas": 1},
            ]
        },
        ["/schedule/1/cron"],
    ),
    ({"schedule": [{"cron": "at eight", "min_replicas": 0, "max_replicas": 1}]}, ["/schedule/0/cron"]),
    ({"schedule": [{"cron": "99 8 * * *", "min_replicas": 0, "max_replicas": 1}]}, ["/schedule/0/cron"]),
    ({"schedule": [{"cron": "0 8 31 2 *", "min_replicas": 0, "max_replicas": 1}]}, ["/schedule/0/cron"]),
)


@pytest.mark.parametrize(("fields", "pointers"), WRONG, ids=lambda case: str(case)[:60])
async def test_what_is_wrong_is_named_and_nothing_is_recorded(
    stage: Stage, fields: dict[str, Any], pointers: list[str]
) -> None:
    api = await stage.api()
    refused = await api.client.put("/deployments/chat", json={"model": MODEL} | fields)
    assert refused.status_code == 422, refused.text
    assert sorted(error["pointer"] for error in refused.json()["errors"]) == pointers
    assert await stage.last_sequence() == 0
    assert (await api.client.get("/deployments/chat")).json()["code"] == "deployment_not_found"


async def test_who_wants_to_make_a_new_one_changes_none_that_has_the_name(stage: Stage) -> None:
    api = await stage.api()
    new = {"If-None-Match": "*"}
    sizes = (300, 400, 500)
    asked = (api.client.put("/deployments/chat", json=BODY | {"volume_gb": size}, headers=new) for size in sizes)
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [201, 412, 412]
    assert await stage.last_sequence() == 1
    refused = await api.client.put("/deployments/chat", json={"model": EMBEDDING_MODEL}, headers=new)
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (412, "deployment_exists")
    assert problem["errors"] == [{"pointer": "/name", "detail": problem["detail"]}]
    assert [model["model"] for model in (await api.client.get("/models")).json()["items"]] == [MODEL]
    await api.client.delete("/deployments/chat")
    assert (await api.client.put("/deployments/chat", json=BODY, headers=new)).status_code == 201
    for tag in ('"a"', "null"):
        tagged = await api.client.put("/deployments/chat", json=BODY, headers={"If-None-Match": tag})
        assert (tagged.status_code, tagged.json()["errors"][0]["pointer"]) == (422, "If-None-Match")


async def test_a_name_that_cannot_be_is_refused(stage: Stage) -> None:
    api = await stage.api()
    for name in ("-chat", "a%20b", "x" * 58):
        refused = await api.client.put(f"/deployments/{name}", json=BODY)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/name")
    assert (await api.client.put(f"/deployments/{'x' * 57}", json=BODY)).status_code == 201


async def test_each_organisation_has_its_own_deployments_and_sees_no_other_s(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    for slug in ("acme", "other"):
        await api.organization(slug)
    await put(api, "chat", BODY)
    await put(api, "chat", BODY | {"organization": "other"})
    async with api.as_(await api.user_key("acme")) as acme:
        assert (await acme.get("/deployments/chat")).status_code == 404
        made = await acme.put("/deployments/chat", json=BODY)
        assert (made.status_code, made.headers["location"]) == (201, "/deployments/chat?organization=acme")
        assert made.json()["asked"]["organization"] == "acme"
        assert [one["id"] for one in (await acme.get("/deployments")).json()["items"]] == [made.json()["id"]]
        foreign = await acme.put("/deployments/chat", json=BODY | {"organization": "other"})
        assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
        hidden = await acme.get("/deployments/chat", params={"organization": "other"})
        assert (hidden.status_code, hidden.json()["code"]) == (404, "organization_not_found")
        assert (await acme.post("/deployments/chat/pause", params={"organization": "other"})).status_code == 404
        image = await acme.put("/deployments/own", json=BODY | {"image": "evil/image:1"})
        assert (image.status_code, image.json()["code"]) == (403, "launch_not_allowed")
    async with api.as_(await api.user_key()) as nobody:
        assert (await nobody.get("/deployments")).status_code == 403
    everything = (await api.client.get("/deployments")).json()["items"]
    assert len({one["id"] for one in everything}) == 3
    its = (await api.client.get("/deployments", params={"organization": "acme"})).json()["items"]
    assert [one["id"] for one in its] == [made.json()["id"]]
    twice = await api.client.put("/deployments/chat?organization=acme", json=BODY | {"organization": "other"})
    assert (twice.status_code, twice.json()["errors"][0]["pointer"]) == (422, "/organization")


async def test_a_deployment_is_paused_resumed_scaled_restarted_and_rolled_back(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)

    async def ask(verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = await api.client.post(f"/deployments/chat/{verb}", json=body)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    assert (await ask("pause"))["status"] == "paused"
    assert (await ask("pause"))["version"] == 2
    assert (await ask("resume"))["status"] == "active"
    scaled = await ask("scale", {"min_replicas": 1, "max_replicas": 5})
    assert (scaled["asked"]["min_replicas"], scaled["asked"]["max_replicas"], scaled["revision"]) == (1, 5, 1)
    assert (await ask("scale", {"max_replicas": 2}))["asked"]["min_replicas"] == 1
    refused = await api.client.post("/deployments/chat/scale", json={"min_replicas": 3})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/min_replicas")
    nothing = await api.client.post("/deployments/chat/rollback")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "intent_refused")
    assert (await ask("restart"))["revision"] == 2
    await put(api, "chat", BODY | {"volume_gb": 300})
    back = await ask("rollback")
    assert (back["revision"], back["asked"]["volume_gb"]) == (4, 200)


async def test_a_deleted_deployment_is_shown_until_its_last_replica_is_gone_and_can_be_made_again(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    await put(api, "chat", BODY)
    await added(stage, "chat")
    deleted = await api.client.delete("/deployments/chat")
    assert (deleted.status_code, deleted.json()["status"]) == (202, "deleted")
    assert (await api.client.get("/deployments/chat")).json()["status"] == "deleted"
    assert [one["status"] for one in (await api.client.get("/deployments")).json()["items"]] == ["deleted"]
    assert (await api.client.delete("/deployments/chat")).json()["code"] == "deployment_not_found"
    assert (await api.client.post("/deployments/chat/scale", json={"max_replicas": 2})).status_code == 404
    again = await api.client.put("/deployments/chat", json=BODY)
    assert (again.status_code, again.json()["revision"], again.json()["status"]) == (201, 2, "active")
    await put(api, "other", BODY)
    await api.client.delete("/deployments/other")
    assert (await api.client.get("/deployments/other")).json()["code"] == "deployment_not_found"
    assert [one["name"] for one in (await api.client.get("/deployments")).json()["items"]] == ["chat"]


async def test_a_list_shows_what_was_just_made_newest_first_page_by_page(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    for number in range(5):
        await put(api, f"n{number}", BODY)
    assert await names(api) == [f"n{number}" for number in reversed(range(5))]
    assert await names(api, limit=2) == [f"n{number}" for number in reversed(range(5))]
    await api.client.post("/deployments/n3/pause")
    assert await names(api, status="paused") == ["n3"]
    assert await names(api, model="some/other") == []


async def names(api: RunningApi, **query: Any) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = (await api.client.get("/deployments", params=query | ({"cursor": cursor} if cursor else {}))).json()
        found += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_the_timeline_tells_each_decision_with_its_reason_page_by_page(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    await put(api, "chat", BODY)
    await added(stage, "chat")
    await api.client.post("/deployments/chat/pause")
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await api.client.get("/deployments/chat/timeline", params=query)).json()
        rows += page["items"]
        cursor = page["next_cursor"]
    assert [row["type"] for row in rows] == [
        "DeploymentCreated",
        "DeploymentScaled",
        "ReplicaAdded",
        "DeploymentPaused",
    ]
    assert [row["version"] for row in rows] == [1, 2, 3, 4]
    assert rows[1]["data"]["message"] == "somebody asked"
    assert rows[-1]["status"] == "paused"


async def test_the_timeline_says_every_event_in_words_whatever_it_is_of(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    facts = (
        d.deployment_created(),
        d.deployment_scaled(),
        d.replica_added(),
        d.replica_replaced(),
        d.replica_removed(),
        d.replica_ended(),
        d.replica_refused(),
        d.deployment_degraded(),
        d.deployment_paused(),
    )
    await happened(deployments(stage), *facts)
    rows = (await api.client.get("/deployments/chat/timeline")).json()["items"]
    assert [row["words"] for row in rows] == [in_words(fact) for fact in facts]
    newest = (await api.client.get("/deployments/chat/timeline", params={"last": 2, "limit": 200})).json()
    assert (newest["items"], newest["next_cursor"]) == (rows[-2:], None)
    assert rows[2]["data"]["instance_id"] == str(replica_id(d.ID, 1, 0, 1))


async def test_a_deployment_and_the_list_say_what_holds_a_replica_up(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    assert (await shown(api))["delay"] is None
    locked = f.action_delayed(action=Action.INSTALL, code="waiting", reason="the package manager is locked")
    instance = await stage.happened(*h.an_installing_instance(), locked, instance_id=replica.instance_id)
    await api.projected(instance)
    (listed,) = (await api.client.get("/deployments")).json()["items"]
    for row in (await shown(api), listed):
        told = (row["delay"]["ordinal"], row["delay"]["code"], row["delay"]["reason"])
        assert told == (0, "waiting", "the package manager is locked")
        assert row["delay"]["since"] == row["replicas"][0]["instance"]["step_since"]
        assert row["delay"]["next_try_at"] == row["replicas"][0]["instance"]["delay"]["next_try_at"]


async def test_a_deployment_shows_its_instances_and_what_they_cost(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    before = await shown(api)
    assert (before["wanted"], before["ready"], before["on_their_way"]) == (1, 0, 1)
    assert before["replicas"][0]["instance"] is None
    refused = d.replica_refused(instance_id=replica.instance_id)
    await happened(deployments(stage), refused)
    assert (await shown(api))["on_their_way"] == 0
    instance = await stage.ready("127.0.0.9", instance_id=replica.instance_id)
    await api.projected(instance)
    after = await shown(api)
    assert (after["ready"], after["on_their_way"]) == (1, 0)
    its = after["replicas"][0]["instance"]
    assert (its["id"], its["status"]) == (str(instance.id), "ready")
    assert after["hourly_price"] == instance.hourly_price
    assert after["monthly_price"] == round((instance.hourly_price or 0) * 730, 2)


async def shown(api: RunningApi, name: str = "chat") -> dict[str, Any]:
    return dict((await api.client.get(f"/deployments/{name}")).json())


async def test_a_model_and_an_organisation_stay_while_there_is_a_deployment_of_them(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5)
    await api.organization("acme")
    await put(api, "chat", BODY | {"organization": "acme"})
    (model,) = (await api.client.get("/models")).json()["items"]
    for address, code in ((f"/models/{model['id']}", "model_in_use"), ("/organizations/acme", "organization_in_use")):
        refused = await api.client.delete(address)
        assert (refused.status_code, refused.json()["code"]) == (409, code)
        assert "deployments" in refused.json()["detail"]
    await api.client.delete("/deployments/chat", params={"organization": "acme"})
    assert (await api.client.delete(f"/models/{model['id']}")).status_code == 204
    assert (await api.client.delete("/organizations/acme")).status_code == 204
