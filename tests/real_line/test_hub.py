"""The hub of `make real`, asked by huggingface_hub, which the api and vLLM use."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

from real_line.hub import CHAT, Hub

WEIGHTS = b"0123456789" * 1000


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[str]:
    for name in ("chat", "embedding"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}')
        header = json.dumps({"weight": {"dtype": "BF16", "shape": [50, 100], "data_offsets": [0, 10_000]}}).encode()
        (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + WEIGHTS)
    runner = web.AppRunner(Hub(tmp_path / "models", rate=10_000_000).app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_it_tells_what_the_api_asks_of_a_model(endpoint: str) -> None:
    info = await asyncio.to_thread(
        HfApi(endpoint=endpoint, token=False).model_info, CHAT, expand=["safetensors", "pipeline_tag", "gated"]
    )
    assert (info.pipeline_tag, info.gated) == ("text-generation", False)
    assert info.safetensors is not None
    assert dict(info.safetensors.parameters) == {"BF16": 5000}


async def test_its_files_are_downloaded_whole(endpoint: str, tmp_path: Path) -> None:
    path = await asyncio.to_thread(
        hf_hub_download, CHAT, "model.safetensors", endpoint=endpoint, cache_dir=tmp_path / "cache", token=False
    )
    assert (await asyncio.to_thread(Path(path).read_bytes)).endswith(WEIGHTS)


async def test_what_it_does_not_have_is_refused_as_the_hub_does(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        await asyncio.to_thread(HfApi(endpoint=endpoint, token=False).model_info, "real-line/none")
    with pytest.raises(EntryNotFoundError):
        await asyncio.to_thread(
            hf_hub_download, CHAT, "none.json", endpoint=endpoint, cache_dir=tmp_path / "cache", token=False
        )
