"""When an instance will be ready, learned from past launches: in every answer that shows one, and in event streams."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.api.estimates.estimates import Estimates
from services.api.estimates.repository import LaunchRepository
from services.progress.projection import Projection
from shared.deployments.wish import Template
from shared.eta.alike import FEWEST
from shared.eta.launch import Launch
from shared.eta.start import Start, Weights
from shared.lifecycle import events as e
from shared.lifecycle.fold import fold
from shared.postgres.connection import connect_pool, connecting
from shared.postgres.migrate import migrate
from tests.api.feed.test_events import following
from tests.api.stage import BODY, PATIENCE_S, RunningApi, Stage, until
from tests.api.test_outages import database_away
from tests.eta.past import a_launch
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts
from tests.progress.read_model import recorded
from tests.progress.test_projection import INSTALLATION, nothing_is_put_aside


async def learned(stage: Stage, *histories: Facts, most: int = 100) -> list[Launch]:
    """An api's estimates after these histories were projected."""
    async with connect_pool(stage.database_url, name="test") as pool:
        await migrate(pool)
        async with connecting(stage.database_url, name="test") as connection:
            projection = Projection(connection, INSTALLATION, nothing_is_put_aside, announce=False)
            for history in histories:
                await projection.commit(recorded(history), 1)
        estimates = Estimates(LaunchRepository(pool), launches=most, refresh_s=60)
        await estimates.load()
        return estimates.history.launches


async def test_a_launch_is_learned_with_the_seconds_to_every_percentage_that_it_showed(stage: Stage) -> None:
    history = h.a_ready_instance()
    (launch,) = await learned(stage, history)
    begun, *_, ready = recorded(history)
    assert (launch.provider, launch.instance_type, launch.model) == ("scaleway", "L4-1-24G", f.a_specification().model)
    assert (launch.attempt, launch.ready_at) == (1, ready.recorded_at)
    assert launch.reached[0] == (5, 0.0)
    assert launch.reached[-1] == (100, (ready.recorded_at - begun.recorded_at).total_seconds())
    instance = fold(history)
    assert instance is not None
    shown = {event.instance.progress_percent for event in recorded(history)}
    assert [percent for percent, _ in launch.reached] == sorted(shown)


async def test_each_attempt_is_a_launch_of_its_own_if_it_became_ready(stage: Stage) -> None:
    again = (
        *h.a_reinstalled_instance(),
        *h.an_install(attempt=2),
        f.ssh_install_completed(attempt=2),
        *h.a_warm_up(attempt=2),
        f.instance_ready(attempt=2),
        f.termination_requested(),
    )
    first, second = await learned(stage, again)
    assert (first.attempt, second.attempt) == (2, 1)
    assert first.reached[0] == (50, 0.0)
    assert await learned(stage, again, most=1) == [first]


async def test_how_a_launch_began_is_learned(stage: Stage) -> None:
    prepared = tuple(
        f.instance_created(machine_image="image-1") if isinstance(fact, e.InstanceCreated) else fact
        for fact in h.a_ready_instance()
    )
    (launch,) = await learned(stage, prepared)
    assert launch.start == Start(machine_image=True, weights="worker")


@pytest.mark.parametrize(("fetched", "weights"), [((0, 50, 100), "cold"), ((100,), "warm")])
async def test_the_first_report_of_the_weights_tells_whether_they_were_there(
    stage: Stage, fetched: tuple[int, ...], weights: Weights
) -> None:
    history = h.a_ready_instance()
    at = next(index for index, fact in enumerate(history) if isinstance(fact, e.SshInstallCompleted))
    reports = (f.weights_progressed(fetched_bytes=part, total_bytes=100) for part in fetched)
    (launch,) = await learned(stage, (*history[:at], *reports, *history[at:]))
    assert launch.start == Start(machine_image=False, weights=weights)


@pytest.mark.parametrize("history", [h.a_starting_instance(), h.a_failed_start(), h.a_failed_launch()])
async def test_what_never_became_ready_teaches_nothing(stage: Stage, history: Facts) -> None:
    assert await learned(stage, history) == []


async def launched(stage: Stage, api: RunningApi, number: int) -> None:
    """This number of launches that became ready, as the api keeps them in memory."""
    for _ in range(number):
        await stage.happened(*h.a_ready_instance())

    async def known() -> bool:
        return len((await api.client.get("/launches")).json()["items"]) == number

    await until(known)


async def shown(api: RunningApi, instance_id: Any) -> dict[str, Any] | None:
    eta: dict[str, Any] | None = (await api.client.get(f"/instances/{instance_id}")).json()["eta"]
    return eta


async def test_every_answer_tells_when_an_instance_will_be_ready(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5.0)
    accepted = (await api.client.post("/instances", json=BODY)).json()
    listed = (await api.client.get("/instances")).json()["items"][0]
    for eta in (accepted["eta"], listed["eta"], await shown(api, accepted["id"])):
        assert eta is not None
        assert set(eta) == {"p50_seconds", "p90_seconds", "ready_at_p50", "ready_at_p90", "basis"}
        assert eta["basis"] == {"group": "built_in", "launches": 0}
        assert 0 < eta["p50_seconds"] < eta["p90_seconds"]
        remaining = datetime.fromisoformat(eta["ready_at_p50"]) - datetime.now(UTC)
        assert remaining.total_seconds() == pytest.approx(eta["p50_seconds"], abs=5)
    ended = (await api.client.delete(f"/instances/{accepted['id']}")).json()
    assert ended["eta"] is None


async def test_what_is_ready_has_nothing_to_wait_for(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(*h.a_ready_instance())
    assert await shown(api, instance.id) is None


async def test_past_launches_are_read_again_and_kept_while_the_database_is_away(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(eta_refresh_seconds=0.05)
    instance = await stage.happened(f.instance_requested(occurred_at=datetime.now(UTC)))
    assumed = await shown(api, instance.id)
    assert assumed is not None
    await launched(stage, api, FEWEST)
    eta = await shown(api, instance.id)
    assert eta is not None
    assert eta["basis"] == {"group": "model", "launches": FEWEST}
    assert eta["p50_seconds"] < assumed["p50_seconds"]
    with capture_logs() as logs:
        async with database_away(stage):

            async def noticed() -> bool:
                return any(entry["event"] == "past launches not refreshed" for entry in logs)

            await until(noticed)
            eta = await shown(api, instance.id)
    assert eta is not None
    assert eta["basis"]["launches"] == FEWEST


async def test_the_past_is_for_administrators(stage: Stage) -> None:
    api = await stage.api()
    async with api.as_(await api.user_key()) as user:
        assert (await user.get("/launches")).status_code == 403


async def test_followers_of_an_instance_are_told_at_once_after_each_event_and_now_and_then(stage: Stage) -> None:
    api = await stage.api(estimate_seconds=0.05)
    now = datetime.now(UTC)
    instance = await stage.happened(f.instance_requested(occurred_at=now))
    await stage.happened(f.instance_requested(occurred_at=now))
    async with following(api, f"/instances/{instance.id}/events") as follower:
        first, second = await follower.estimate(), await follower.estimate()
        assert {first["instance_id"], second["instance_id"]} == {str(instance.id)}
        assert first["version"] == 1
        assert second["eta"]["p50_seconds"] <= first["eta"]["p50_seconds"]
        await stage.happened(f.instance_created(occurred_at=now), instance_id=instance.id)
        await follower.take(1)
        assert (await follower.estimate())["version"] == 2


async def test_after_an_event_nobody_waits_for_the_next_round_of_estimates(stage: Stage) -> None:
    api = await stage.api(estimate_seconds=3600)
    instance = await stage.happened(f.instance_requested())
    async with following(api, f"/instances/{instance.id}/events") as follower:
        await follower.estimate()
        await stage.happened(f.instance_created(), instance_id=instance.id)
        assert (await follower.estimate())["version"] == 2


async def test_followers_of_everything_are_told_of_each_instance_that_is_starting_up_and_of_no_other(
    stage: Stage,
) -> None:
    api = await stage.api(estimate_seconds=0.05)
    launching = [await stage.happened(*history) for history in (h.a_launch(), h.a_starting_instance())]
    await stage.happened(*h.a_ready_instance())
    await stage.happened(*h.a_failed_start())
    async with following(api) as follower:
        told = [await follower.estimate() for _ in range(6)]
    assert sorted(each["instance_id"] for each in told) == sorted(3 * [str(instance.id) for instance in launching])


async def test_an_estimate_moves_no_position_and_is_no_event(stage: Stage) -> None:
    api = await stage.api(estimate_seconds=0.01)
    await stage.happened(f.instance_requested())
    raw = b""
    async with asyncio.timeout(PATIENCE_S), api.client.stream("GET", "/events") as stream:
        async for chunk in stream.aiter_raw():
            raw += chunk
            if raw.count(b"event: estimate\n") >= 3:
                break
    assert raw.count(b"id: ") == 1
    assert raw.index(b"id: ") < raw.index(b"event: estimate\n")
    assert await stage.last_sequence() == 1


async def test_an_api_that_starts_tells_of_what_was_starting_up_before(stage: Stage) -> None:
    await stage.projector()
    instance = await stage.happened(*h.a_launch())
    api = await stage.api(estimate_seconds=0.05)
    async with following(api) as follower:
        assert (await follower.estimate())["instance_id"] == str(instance.id)
    await stage.happened(f.termination_requested(), instance_id=instance.id)

    async def gone() -> bool:
        return await shown(api, instance.id) is None

    await until(gone)


class Past:
    """Past launches that the test sets."""

    def __init__(self, *launches: Launch) -> None:
        self.launches = list(launches)

    async def newest(self, _: int) -> list[Launch]:
        return self.launches


async def test_a_replica_s_lead_follows_from_launches_of_its_model_and_type_and_is_computed_once_for_them() -> None:
    slow = [a_launch(100.0, number=number, instance_type="H100-1-80G") for number in range(9)]
    quick = [a_launch(1.0, number=number, instance_type="L4-1-24G") for number in range(10, 19)]
    past = Past(*slow, *quick)
    estimates = Estimates(past, launches=100, refresh_s=60)
    await estimates.load()
    template = Template(model=slow[0].model)
    of_h100 = template.model_copy(update={"instance_types": ("H100-1-80G",)})
    of_l4 = template.model_copy(update={"instance_types": ("L4-1-24G",)})
    assert estimates.lead(of_h100).p50_s > 50 * estimates.lead(of_l4).p50_s
    assert estimates.lead(of_l4).p50_s <= estimates.lead(of_l4).p90_s
    assert estimates.lead(template) == estimates.lead(of_l4), "the type on which it was ready last"
    assert estimates.lead(of_l4) is estimates.lead(of_l4)
    past.launches = slow
    await estimates.load()
    assert estimates.lead(template) == estimates.lead(of_h100)
