"""The checks that this project was begun for, on the whole line."""

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from prometheus_client import REGISTRY

from shared.lifecycle.status import STARTING_UP
from simulator.scenario import Scenario
from tests.integration.launches import MILESTONES, PERCENTAGES, balanced
from tests.integration.line import MODEL, Changes, Line, line


def probes(status: str) -> float:
    """How often health looked at an instance in this status."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "coldstart_health_probes_total" and sample.labels["status"] == status
    )


async def test_an_instance_goes_from_booting_to_ready_in_order_and_shows_the_right_progress_at_every_step(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    before = {status: probes(status) for status in (*STARTING_UP, "ready")}
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.ready()
        events = running.heard.of(instance_id)
        statuses = [event["data"]["instance"]["status"] for event in events]
        assert list(dict.fromkeys(statuses)) == ["provisioning", "booting", "installing", "starting", "ready"]
        shown = {event["type"]: event["data"]["instance"]["progress_percent"] for event in events}
        highest = 0
        for milestone, percent in PERCENTAGES.items():
            highest = max(highest, percent)
            assert shown[milestone] >= percent
        progress = [event["data"]["instance"]["progress_percent"] for event in events]
        assert progress == sorted(progress)
        assert progress[-1] == 100
        image = "vllm/vllm-openai:v0.32.0"
        facts = [event["data"]["event"] for event in events]
        assert [fact["image"] for fact in facts if fact.get("phase") == "image_pull"] == [image]
        assert events[-1]["data"]["instance"]["install"]["image"] == image
        weights = events[-1]["data"]["instance"]["weights"]
        assert weights["fetched_bytes"] == weights["total_bytes"] > 0
        assert shown["WeightsProgressed"] < 60
        assert "ActionDelayed" not in shown
        assert all(
            event["data"]["instance"]["progress_percent"] >= 60
            for event in events
            if event["data"]["instance"]["status"] == "starting"
        )
        await running.heard.until(instance_id, "InstanceReady")
        await balanced(running, instance_id)
        # one more look at a ready instance
        await looked_at(running, "ready", before["ready"])
    assert all(probes(status) > before[status] for status in STARTING_UP)


async def looked_at(running: Line, status: str, before: float) -> None:
    for _ in range(200):
        if probes(status) > before:
            return
        await running.http.get("/healthz")
    raise AssertionError(f"no probe in status {status}")


async def test_a_public_model_with_a_slash_in_its_id_is_served_to_a_key_without_an_organisation(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        made = await running.http.post("/api-keys", json={"name": "no organisation", "role": "user"})
        async with openai.AsyncOpenAI(
            base_url=f"{running.api_url}/v1", api_key=made.json()["key"], max_retries=0
        ) as client:
            await running.ready()
            question: Any = [{"role": "user", "content": "What is the capital of France?"}]
            answer = await client.chat.completions.create(model=MODEL, messages=question)
            assert answer.choices[0].message.content
            stream = await client.chat.completions.create(model=MODEL, messages=question, stream=True)
            chunks = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            assert "".join(chunks) == answer.choices[0].message.content
            assert [model.id async for model in client.models.list()] == [MODEL]


async def test_a_plain_subscriber_sees_every_transition_with_its_snapshot_and_the_timeline_shows_the_same(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.ready()
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated")
        heard = [
            (event["data"]["instance"]["version"], event["type"], event["data"]["instance"]["status"])
            for event in running.heard.of(instance_id)
        ]
        timeline = [(row["version"], row["type"], row["status"]) for row in await running.timeline(instance_id)]
        assert heard == timeline
        assert [version for version, *_ in heard] == list(range(1, len(heard) + 1))
        assert set(MILESTONES) <= {name for _, name, _ in heard}
        assert not await running.remaining()


async def test_an_embedding_model_becomes_ready_and_gives_embeddings(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        model = "BAAI/bge-small-en-v1.5"
        await running.ready(model=model)
        async with openai.AsyncOpenAI(base_url=f"{running.api_url}/v1", api_key=running.key, max_retries=0) as client:
            answer = await client.embeddings.create(model=model, input=["hello", "world"])
            assert len(answer.data) == 2
            assert all(len(item.embedding) > 0 for item in answer.data)
            with pytest.raises(openai.BadRequestError, match="These paths take it: /v1/embeddings") as refused:
                await client.chat.completions.create(model=model, messages=[])
            assert refused.value.code == "model_task_mismatch"


async def test_of_any_type_a_large_model_gets_the_cheapest_that_holds_it(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        await running.offered()
        spread = ["--tensor-parallel-size=2"]
        large = await running.create(model="Qwen/Qwen2.5-72B-Instruct", instance_types=["any"], vllm_args=spread)
        small = await running.create(instance_types=["any"])
        for instance_id, expected in ((large, "H100-2-80G"), (small, "L4-1-24G")):
            created = await running.heard.until(instance_id, "InstanceCreated", "ProvisioningFailed")
            assert created["data"]["instance"]["instance_type"] == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"model": MODEL}, id="one file"),
        pytest.param(
            {
                "model": "Qwen/Qwen2.5-72B-Instruct",
                "instance_types": ["any"],
                "vllm_args": ["--tensor-parallel-size=2"],
            },
            id="many files side by side",
        ),
    ],
)
async def test_a_download_is_told_while_it_lasts(
    body: dict[str, Any], tmp_path: Path, nats_url: str, database_url: str
) -> None:
    by_vllm: Changes = {"provisioner": {"weights_by_host": False}}
    slow = Scenario(model_load=2.0)
    async with line(tmp_path, nats_url, database_url, scenario=slow, changes=by_vllm) as running:
        await running.offered()
        # Of the supported versions, only this one shows how far the weights are.
        instance_id = await running.ready(image="vllm/vllm-openai:v0.13.0", **body)
        heard = running.heard.of(instance_id)
        told = [event["data"]["event"] for event in heard if event["type"] == "ModelLoadProgressed"]
        loads = [(event["stage"], event["fraction"]) for event in told]
        fractions = [fraction for _, fraction in loads]
        assert fractions == sorted(set(fractions))
        assert list(dict.fromkeys(stage for stage, _ in loads))[:2] == ["download", "shards"]
        assert any(0 < fraction < 0.35 for _, fraction in loads)


async def test_an_sse_client_that_comes_back_misses_no_event_and_repeats_none(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:
        instance_id = await running.create()
        ids: list[str] = []
        types: list[str] = []
        while not types or types[-1] != "InstanceReady":
            headers = {"Last-Event-ID": ids[-1]} if ids else {}
            await take(running, instance_id, headers, ids, types, at_most=3)
        assert types == running.heard.types(instance_id)[: len(types)]
        assert len(ids) == len(set(ids))


async def take(
    running: Line, instance_id: str, headers: dict[str, str], ids: list[str], types: list[str], *, at_most: int
) -> None:
    """Read a few events of a stream and leave it in the middle."""
    path = f"/instances/{instance_id}/events"
    got, last = 0, ""
    async with running.http.stream("GET", path, params={"from": "start"}, headers=headers) as stream:
        assert stream.status_code == httpx.codes.OK
        async for text in stream.aiter_lines():
            if text.startswith("id:"):
                last = text.removeprefix("id:").strip()
            elif text.startswith("event:") and text != "event: estimate":
                types.append(text.removeprefix("event:").strip())
                ids.append(last)
                got += 1
            elif not text and got and (got == at_most or types[-1] == "InstanceReady"):
                return
