"""Thirty days of requests, and a worker that speaks."""

import asyncio
import json
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from aiohttp import web

from services.api.usage.log import Usage
from services.api.usage.repository import UsageRepository
from shared.postgres.connection import Pool
from tests.api.stage import RunningApi
from tests.console.scenery.kinds import CHAT, EMBEDDING, LARGE, SMALL

SATURDAY: Final = 5
DAYS: Final = 30
USED: Final = ((CHAT, 46), (SMALL, 31), (EMBEDDING, 17), (LARGE, 6))
"""Models, with their share of the requests."""
ANSWER: Final = (
    "A cold start is the wait from asking for a machine to the first answer of the model on it: a server has to be "
    "found and booted, its image pulled, the weights loaded and the graphs captured. What can be kept warm is what "
    "you pay for while nobody asks."
)


async def requests(pool: Pool, api: RunningApi, random: Random, now: datetime, instance_id: UUID) -> None:
    listed = (await api.client.get("/api-keys")).json()["items"]
    keys = [(UUID(one["id"]), one["organization_id"] and UUID(one["organization_id"])) for one in listed]
    rows = []
    for day in range(DAYS):
        at = now - timedelta(days=day, hours=1)
        busy = 25 if at.weekday() >= SATURDAY else 70
        for _ in range(random.randint(busy, 2 * busy)):
            key, owner = random.choice(keys)
            model = random.choices([model for model, _ in USED], [share for _, share in USED])[0]
            failed = random.random() < 0.015
            first = random.lognormvariate(5, 0.4) if model != EMBEDDING else random.lognormvariate(2.5, 0.3)
            written = 0 if failed or model == EMBEDDING else int(random.lognormvariate(5, 0.7))
            usage = Usage(
                id=UUID(int=random.getrandbits(128), version=4),
                at=at - timedelta(minutes=random.uniform(0, 600)),
                key_id=key,
                organization_id=owner,
                model=model,
                instance_id=instance_id,
                endpoint="/v1/embeddings" if model == EMBEDDING else "/v1/chat/completions",
                status=502 if failed else 200,
                prompt_tokens=int(random.lognormvariate(5.5, 0.8)),
                completion_tokens=written,
                estimated=False,
                first_byte_ms=first,
                duration_ms=first + written * random.uniform(9, 14),
            )
            rows.append(usage)
    await UsageRepository(pool).add(rows)


async def spoken(request: web.Request) -> web.StreamResponse:
    """Word by word, at the pace of a model."""
    if not (await request.json()).get("stream"):
        return web.json_response({"id": "x", "choices": [{"index": 0, "message": {"content": "."}}]})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    words = [f"{word} " for word in ANSWER.split()]
    for word in words:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        await response.write(f"data: {json.dumps({'id': 'x', 'choices': [choice]})}\n\n".encode())
        await asyncio.sleep(0.012)
    usage = {"prompt_tokens": 14, "completion_tokens": len(words), "total_tokens": 14 + len(words)}
    await response.write(f"data: {json.dumps({'id': 'x', 'choices': [], 'usage': usage})}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response
