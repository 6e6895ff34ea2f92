"""Deployments on the whole line: declared over HTTP, asked by OpenAI's client, and followed by their events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from openai import AsyncOpenAI

from shared.lifecycle.status import Status
from tests.integration.line import ADMIN_KEY, INSTANCE_TAG, INSTANCE_TYPE, MODEL, PATIENCE_S, Changes, Line, line

NAME: Final = "chat"
AT_ONCE: Final = {"scale_down_after": 0, "scale_to_zero_after": 0}


async def deployed(running: Line, **body: Any) -> str:
    """Returns the deployment's id."""
    wish = {"model": MODEL, "instance_types": [INSTANCE_TYPE], "max_replicas": 1, **body}
    await running.offered()
    answer = await running.http.put(f"/deployments/{NAME}", json=wish)
    assert answer.status_code in {200, 201}, answer.text
    return str(answer.json()["id"])


async def shown(running: Line) -> dict[str, Any]:
    answer = await running.http.get(f"/deployments/{NAME}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def until(running: Line, of: str, like_that: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The deployment as it is, or after the next event that makes it so."""
    seen = max(0, len(running.heard.of(of)) - 1)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            events = running.heard.of(of)
            for event in events[seen:]:
                if like_that(event["data"]["deployment"]):
                    return dict(event["data"]["deployment"])
            seen = len(events)
            await running.heard.more(of, than=seen)


async def gone(running: Line, of: str) -> None:
    """Delete it, until nothing of it is left anywhere."""
    answer = await running.http.delete(f"/deployments/{NAME}")
    assert answer.is_success, answer.text
    await until(running, of, lambda deployment: deployment["status"] == "deleted" and not deployment["replicas"])
    for instance_id in instances(running, of):
        await running.heard.until(instance_id, "InstanceTerminated", "ResourcesReleased")
    assert await running.remaining() == {}


def instances(running: Line, of: str) -> list[str]:
    """Those that were ever its replicas, by the events in which they were added."""
    added = [event for event in running.heard.of(of) if event["type"] in {"ReplicaAdded", "ReplicaReplaced"}]
    return [event["data"]["event"]["instance_id"] for event in added]


async def servers(running: Line) -> set[str]:
    """Those that the provider still has, by the instances of their tags."""
    alive = [each for each in (await running.account())["servers"] if not each["deleted_at"]]
    tags = [tag for each in alive for tag in each["tags"]]
    return {tag.removeprefix(INSTANCE_TAG) for tag in tags if tag.startswith(INSTANCE_TAG)}


def ready(running: Line, of: str) -> list[str]:
    last = [events[-1]["data"]["instance"] for each in instances(running, of) if (events := running.heard.of(each))]
    return [each["id"] for each in last if each["status"] == Status.READY]


def reasons(running: Line, of: str) -> list[tuple[int, int, str]]:
    scalings = [event["data"]["event"] for event in running.heard.of(of) if event["type"] == "DeploymentScaled"]
    return [(each["before"], each["after"], each["reason"]) for each in scalings]


def client(running: Line) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{running.api_url}/v1", api_key=ADMIN_KEY, max_retries=0, timeout=PATIENCE_S)


async def asked(asking: AsyncOpenAI, text: str) -> str:
    answer = await asking.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content or ""


async def streamed(asking: AsyncOpenAI, text: str = "hello") -> str:
    stream = await asking.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


@asynccontextmanager
async def scaled_line(
    folder: Path, nats_url: str, database_url: str, changes: Changes | None = None, **more: Any
) -> AsyncGenerator[Line]:
    async with line(folder, nats_url, database_url, changes=changes, scaled=True, **more) as running:
        yield running
