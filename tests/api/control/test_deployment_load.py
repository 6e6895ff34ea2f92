"""What is asked of a deployment, and what would be done for it, over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.clock import CLOCK
from shared.deployments.events import deployment_id
from shared.deployments.load import Lead
from shared.load import SUBJECT, DeploymentLoad, LoadReport
from shared.postgres.connection import connect_pool
from tests.api.deployed import put
from tests.api.stage import MODEL, RunningApi, Stage, until

BODY: dict[str, Any] = {"model": MODEL, "max_replicas": 3, "target_in_flight": 4}
CHAT = deployment_id("chat", None)


async def test_the_load_that_any_api_tells_is_shown_and_what_would_follow_from_it(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    quiet = await explained(api)
    assert (quiet["wanted"], quiet["would_be"]) == (0, 0)
    load = DeploymentLoad(in_flight=0, held=7, lead=Lead(p50_s=100, p90_s=200))
    report = LoadReport(process=uuid4(), at=CLOCK.now(), deployments={CHAT: load})

    async def heard() -> bool:
        await stage.connection.publish(SUBJECT, report.model_dump_json().encode())
        shown = (await api.client.get("/deployments/chat/load")).json()
        return bool(shown["held"])

    await until(heard)
    shown = (await api.client.get("/deployments/chat/load")).json()
    assert (shown["known"], shown["in_flight"], shown["held"]) == (True, 0, 7)
    assert shown["lead"] == {"p50_s": 100.0, "p90_s": 200.0}
    listed = (await api.client.get("/deployments/chat")).json()
    assert (listed["load"]["in_flight"], listed["load"]["held"]) == (0, 7)
    woken = await explained(api)
    assert woken["would_be"] > 0
    assert woken["figures"]["load"] == 7
    assert woken["steps"] == ["record DeploymentScaled"]


async def test_the_load_of_the_last_hours_is_shown_by_slots(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    now = CLOCK.now()
    async with connect_pool(stage.database_url, name="test") as pool:
        for hours in (30, 3, 1):
            await pool.execute(
                "INSERT INTO deployment_load (deployment_id, at, mean, peak, ready) VALUES ($1, $2, $3, $4, 1)",
                *(CHAT, now - timedelta(hours=hours), float(hours), 40.0),
            )

    async def slots(**query: int) -> list[float]:
        answer = await api.client.get("/deployments/chat/load", params=query)
        return [slot["mean"] for slot in answer.json()["slots"]]

    assert await slots() == [3.0, 1.0]
    assert await slots(hours=2) == [1.0]
    assert await slots(hours=48) == [30.0, 3.0, 1.0]


async def test_without_any_request_the_load_is_none_and_the_lead_that_of_past_launches(stage: Stage) -> None:
    api = await stage.api()
    await put(api, "chat", BODY)
    shown = (await api.client.get("/deployments/chat/load")).json()
    assert (shown["in_flight"], shown["held"], shown["slots"]) == (0, 0, [])
    assert 0 < shown["lead"]["p50_s"] < shown["lead"]["p90_s"]


async def explained(api: RunningApi) -> dict[str, Any]:
    answer = await api.client.get("/deployments/chat/explain")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
