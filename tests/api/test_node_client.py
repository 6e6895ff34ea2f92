"""OpenAI's client for Node, as npm has it, against the router."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.api.router.scene import DONE, USAGE, WORDS, a_scene, streaming
from tests.api.router.test_inference import catalogued
from tests.api.stage import EMBEDDING_MODEL, MODEL, Stage, until

FOLDER = Path(__file__).parents[1] / "node"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    "CI" not in os.environ and not (NODE and (FOLDER / "node_modules").is_dir()),
    reason="Node.js and npm are not installed (apt-get install nodejs npm, then make .venv/.ready-node)",
)


async def test_everything_that_it_does_works_and_its_errors_are_those_that_it_raises_for_openai(stage: Stage) -> None:
    scene = await a_scene(stage)
    await catalogued(scene.api, EMBEDDING_MODEL)
    embedder = await stage.worker()
    await stage.ready(embedder.address, model=EMBEDDING_MODEL, task="embed")

    async def known() -> bool:
        return any(one["eligible"] for one in (await scene.explained(EMBEDDING_MODEL))["instances"])

    await until(known)
    whole, streamed = scene.workers[0].answer, streaming(*WORDS, USAGE, DONE)

    async def answer(request: Any) -> Any:
        return await (streamed if (await request.json()).get("stream") else whole)(request)

    scene.all_answer(answer)
    assert await told(scene.api.url, await scene.api.user_key()) == {
        "chat": "Paris.",
        "streamed": "Paris.",
        "usageSeen": False,
        "completion": " Paris",
        "embedding": [0.25, -0.5],
        "models": sorted([MODEL, EMBEDDING_MODEL]),
        "model": "Qwen",
        "unauthorized": {"kind": "AuthenticationError", "status": 401, "code": "invalid_api_key", "param": None},
        "unknown": {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"},
        "mismatched": {"kind": "BadRequestError", "status": 400, "code": "model_task_mismatch", "param": "model"},
    }


async def told(url: str, key: str) -> Any:
    assert NODE is not None
    environment = {"BASE_URL": f"{url}/v1", "API_KEY": key, "MODEL": MODEL, "EMBEDDING_MODEL": EMBEDDING_MODEL}
    process = await asyncio.create_subprocess_exec(
        *(NODE, "client.mjs"), cwd=FOLDER, env={"PATH": os.defpath, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)
