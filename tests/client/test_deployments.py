"""Deployments and models by either client, against an api that really runs."""

from coldstart_client.answers import DeploymentStatus, Fits
from tests.api.stage import ADMIN_KEY, EMBEDDING_MODEL, MODEL, RunningApi, Stage, until
from tests.client.conftest import MakeClient


async def listed(api: RunningApi, name: str) -> None:
    async def shown() -> bool:
        answer = await api.client.get("/deployments")
        return any(item["name"] == name for item in answer.json()["items"])

    await until(shown)


async def test_a_deployment_is_declared_changed_scaled_and_deleted(stage: Stage, client_of: MakeClient) -> None:
    await stage.projector()
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        made = await client.deployments.apply("chat", model=MODEL, instance_types=["L4-1-24G"], max_replicas=2)
        assert (made.name, made.status, made.asked.max_replicas) == ("chat", DeploymentStatus.ACTIVE, 2)
        changed = await client.deployments.apply("chat", model=MODEL, max_replicas=3, rollout={"surge": 2})
        assert (changed.id, changed.asked.max_replicas, changed.asked.rollout.surge) == (made.id, 3, 2)
        scaled = await client.deployments.scale("chat", min_replicas=1)
        assert (scaled.asked.min_replicas, scaled.asked.max_replicas) == (1, 3)
        assert (await client.deployments.pause("chat")).status is DeploymentStatus.PAUSED
        assert (await client.deployments.resume("chat")).status is DeploymentStatus.ACTIVE
        await listed(api, "chat")
        assert [one.name async for one in client.deployments.list(status="active")] == ["chat"]
        assert [one.name for one in (await client.deployments.page(limit=1)).items] == ["chat"]
        assert (await client.deployments.explain("chat")).model_fields_set
        assert (await client.deployments.load("chat", hours=1)).model_fields_set
        await client.deployments.restart("chat")
        types = [row.type async for row in client.deployments.timeline("chat")]
        assert types[0] == "DeploymentCreated"
        assert (await client.deployments.delete("chat")).status is DeploymentStatus.DELETED


async def test_a_deployment_of_an_organisation_is_found_by_its_owner(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    acme = await api.organization("acme")
    async with client_of(api.url, ADMIN_KEY) as client:
        made = await client.deployments.create("chat", model=MODEL, organization="acme")
        assert str(made.organization_id) == acme["id"]
        assert (await client.deployments.get("chat", organization="acme")).id == made.id


async def test_models_are_kept_found_and_fitted(stage: Stage, client_of: MakeClient) -> None:
    api = await stage.api()
    async with client_of(api.url, ADMIN_KEY) as client:
        kept = await client.models.add(model=EMBEDDING_MODEL, task="embed")
        assert [one.model async for one in client.models.list()] == [EMBEDDING_MODEL]
        assert (await client.models.resolve(EMBEDDING_MODEL)).model_fields_set
        fit = await client.models.fit(model=MODEL, instance_types=["L4-1-24G"])
        assert {each.fits for each in fit.items} <= {*Fits}
        offers = await client.models.instance_types()
        assert {offer.name for offer in offers.items} >= {"L4-1-24G", "H100-1-80G"}
        await client.models.remove(kept.id)
        assert [one async for one in client.models.list()] == []
