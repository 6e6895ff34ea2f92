"""An offering may name a deployment, and is then of whatever that serves."""

from typing import Any

from tests.api.deployed import put
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage, until

BODY: dict[str, Any] = {"model": MODEL, "instance_types": ["L4-1-24G"]}
OTHER: dict[str, Any] = {"model": EMBEDDING_MODEL, "instance_types": ["L4-1-24G"]}


async def test_an_offering_that_names_a_deployment_means_its_model(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await put(api, "chat", BODY)
    made = await api.offering("acme", "assistant", "chat")
    assert (made["model"], made["deployment"]) == (MODEL, "chat")
    assert (await resolved(api)) == MODEL
    plain = await api.offering("acme", "plain", MODEL)
    assert (plain["model"], plain["deployment"]) == (MODEL, None)


async def test_it_follows_the_deployment_to_another_model(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await put(api, "chat", BODY)
    await api.offering("acme", "assistant", "chat")
    await api.client.delete("/deployments/chat")
    await put(api, "chat", OTHER)  # at once, since a rollout would end with the first replica

    async def follows() -> bool:
        return await resolved(api) == EMBEDDING_MODEL

    await until(follows)
    (listed,) = (await api.client.get("/organizations/acme/offerings")).json()["items"]
    assert (listed["model"], listed["deployment"]) == (EMBEDDING_MODEL, "chat")


async def test_once_its_deployment_is_deleted_the_list_says_so(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await put(api, "chat", BODY)
    await api.offering("acme", "assistant", "chat")

    async def told() -> str | None:
        (listed,) = (await api.client.get("/organizations/acme/offerings")).json()["items"]
        assert (listed["model"], listed["deployment"]) == (MODEL, "chat")
        detail: str | None = listed["detail"]
        return detail

    async def told_nothing() -> bool:
        return await told() is None

    async def told_that_it_is_gone() -> bool:
        said = f"No deployment chat is known. Until one is, acme/assistant means {MODEL}, as at first; "
        return await told() == f"{said}offer another, or take it back."

    await until(told_nothing)
    await api.client.delete("/deployments/chat")
    await until(told_that_it_is_gone)


async def test_the_organisation_s_own_deployment_is_meant_before_one_that_all_share(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await api.organization("other")
    await put(api, "chat", BODY)
    await put(api, "chat", OTHER | {"organization": "acme"})
    assert (await api.offering("acme", "assistant", "chat"))["model"] == EMBEDDING_MODEL
    assert (await api.offering("other", "assistant", "chat"))["model"] == MODEL


async def test_a_name_that_no_deployment_has_is_refused(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await api.organization("other")
    await put(api, "hidden", BODY | {"organization": "other"})
    await put(api, "gone", BODY)
    await api.client.delete("/deployments/gone")
    for name in ("nothing", "hidden", "gone"):
        body = {"code": "assistant", "model": name}
        refused = await api.client.post("/organizations/acme/offerings", json=body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/model")
        assert f"Nor is there a deployment called '{name}'" in refused.json()["detail"]


async def test_an_offering_can_be_changed_to_a_deployment_and_back(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await put(api, "chat", BODY)
    await api.offering("acme", "assistant", EMBEDDING_MODEL)

    async def changed(**fields: Any) -> tuple[str, str | None]:
        answer = await api.client.patch("/organizations/acme/offerings/assistant", json=fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["model"], answer.json()["deployment"]

    assert await changed(model="chat") == (MODEL, "chat")
    assert await changed(active=False) == (MODEL, "chat")
    assert await changed(model=EMBEDDING_MODEL, active=True) == (EMBEDDING_MODEL, None)


async def resolved(api: RunningApi) -> str | None:
    """What a member of acme gets for acme/assistant."""
    async with api.as_(await api.user_key("acme")) as member:
        answer = await member.get("/models/resolve", params={"model": "acme/assistant"})
    model: str | None = answer.json()["model"]
    return model
