"""The scaler asks for launches, and they are admitted as somebody's would be."""

import asyncio
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from services.api.admission import replica_launches
from shared.clock import CLOCK
from shared.deployments import events as e
from shared.launching import SUBJECT, LaunchReply, LaunchRequest, request_launch
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.wish import FailedPlace
from tests.api.deployed import added, deployments, put
from tests.api.stage import BODY, MODEL, OFFERED, PATIENCE_S, Stage, until

CHAT = e.deployment_id("chat", None)


async def asked(stage: Stage, instance_id: UUID, of: UUID = CHAT) -> LaunchReply:
    return await request_launch(
        stage.connection, LaunchRequest(deployment_id=of, instance_id=instance_id), timeout_s=PATIENCE_S
    )


async def test_a_replica_is_launched_as_its_deployment_says(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY | {"volume_gb": 300, "max_replicas": 3})
    replica = await added(stage, "chat", ordinal=2)
    assert await asked(stage, replica.instance_id) == LaunchReply(outcome="launched")
    specification = (await stage.journal.load(replica.instance_id)).specification
    assert (specification.name, specification.model, specification.volume_gb) == ("chat-2", MODEL, 300)
    its = specification.replica
    assert its is not None
    assert (its.deployment_id, its.deployment_name, its.revision, its.ordinal, its.generation) == (
        CHAT,
        "chat",
        1,
        2,
        1,
    )
    shown = (await api.client.get(f"/instances/{replica.instance_id}")).json()
    assert shown["replica"] == its.model_dump(mode="json")


async def test_two_that_ask_for_the_same_replica_at_once_make_one_instance_also_at_two_apis(stage: Stage) -> None:
    first, _ = await stage.api(), await stage.api()
    await first.organization("acme", max_instances=1)
    acme = UUID((await first.client.get("/organizations/acme")).json()["id"])
    await put(first, "chat", BODY | {"organization": "acme"})
    replica, of = await added(stage, "chat", acme), e.deployment_id("chat", acme)
    before = await stage.last_sequence()
    replies = await asyncio.gather(*(asked(stage, replica.instance_id, of) for _ in range(6)))
    assert {reply.outcome for reply in replies} == {"launched"}
    assert await stage.last_sequence() == before + 1


async def test_a_replica_that_was_launched_before_its_deployment_changed_stays_launched(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    await asked(stage, replica.instance_id)
    await put(api, "chat", BODY | {"volume_gb": 300})
    before = await stage.last_sequence()
    assert (await asked(stage, replica.instance_id)).outcome == "launched"
    assert await stage.last_sequence() == before


async def test_a_replica_of_a_revision_that_was_changed_before_it_was_rolled_out_is_not_launched(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    await put(api, "chat", BODY | {"volume_gb": 300})
    replica = await added(stage, "chat", revision=2)
    await put(api, "chat", BODY | {"volume_gb": 400})
    before = await stage.last_sequence()
    assert await asked(stage, replica.instance_id) == LaunchReply(outcome="unwanted")
    assert await stage.last_sequence() == before


async def test_what_a_deployment_does_not_want_any_more_is_not_launched(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    unwanted = LaunchReply(outcome="unwanted")
    assert await asked(stage, uuid4()) == unwanted
    assert await asked(stage, replica.instance_id, of=uuid4()) == unwanted
    await api.client.post("/deployments/chat/pause")
    assert await asked(stage, replica.instance_id) == unwanted
    await api.client.post("/deployments/chat/resume")
    removed = e.ReplicaRemoved(
        deployment_id=CHAT, occurred_at=CLOCK.now(), basis=5, instance_id=replica.instance_id, reason="scaled"
    )
    assert (await deployments(stage).record(removed)).staying == ()
    assert await asked(stage, replica.instance_id) == unwanted
    await api.client.delete("/deployments/chat")
    before = await stage.last_sequence()
    assert await asked(stage, replica.instance_id) == unwanted
    assert await stage.last_sequence() == before


async def test_the_limits_of_an_organisation_hold_and_the_refusal_has_the_figures(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme", max_instances=1)
    acme = UUID((await api.client.get("/organizations/acme")).json()["id"])
    of = e.deployment_id("chat", acme)
    await put(api, "chat", BODY | {"organization": "acme", "max_replicas": 2})
    replicas = [await added(stage, "chat", acme, ordinal=ordinal) for ordinal in range(2)]
    replies = await asyncio.gather(*(asked(stage, replica.instance_id, of) for replica in replicas))
    (refused,) = (reply for reply in replies if reply.outcome == "refused")
    assert refused.code == "limit_reached"
    assert "It has 1 of at most 1 instances." in str(refused.message)


async def test_a_model_that_cannot_be_served_so_any_more_is_refused_with_the_reason(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    await stage.offer(*(kind for kind in OFFERED if kind.name != "L4-1-24G"))
    refused = await asked(stage, replica.instance_id)
    assert (refused.outcome, refused.code) == ("refused", "invalid_request")
    assert "L4-1-24G is not offered" in str(refused.message)


async def test_a_replacement_goes_where_its_predecessors_have_not_failed(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    failed = await added(stage, "chat")
    replaced = e.ReplicaReplaced(
        deployment_id=CHAT,
        occurred_at=CLOCK.now(),
        basis=3,
        ordinal=0,
        former_instance_id=failed.instance_id,
        generation=2,
        instance_id=e.replica_id(CHAT, 1, 0, 2),
        code="out_of_stock",
        message="There is none left.",
        failures=1,
        not_before=CLOCK.now(),
        avoid=(FailedPlace(zone="fr-par-1"),),
    )
    await deployments(stage).record(replaced)
    assert (await asked(stage, replaced.instance_id)).outcome == "launched"
    instance = await stage.journal.load(replaced.instance_id)
    assert instance.findings.avoid == (FailedPlace(zone="fr-par-1"),)
    assert instance.specification.replica is not None
    assert instance.specification.replica.generation == 2


async def test_a_request_that_waited_too_long_is_not_answered_and_launches_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    monkeypatch.setattr(replica_launches, "_WITHIN_S", 0.0)
    with capture_logs() as logs:
        await stage.connection.publish(
            SUBJECT, LaunchRequest(deployment_id=CHAT, instance_id=replica.instance_id).model_dump_json().encode()
        )

        async def noticed() -> bool:
            return any(line["event"] == "request for a launch not answered" for line in logs)

        await until(noticed)
    with pytest.raises(InstanceUnknown):
        await stage.journal.load(replica.instance_id)


async def test_what_is_no_request_keeps_nobody_from_being_answered(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    replica = await added(stage, "chat")
    await stage.connection.publish(SUBJECT, b"no JSON", reply=stage.connection.new_inbox())
    assert (await asked(stage, replica.instance_id)).outcome == "launched"
