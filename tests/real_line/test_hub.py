"""The hub of `make real`, asked by huggingface_hub, which the control plane and vLLM use, and as machines ask it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from hashlib import sha1, sha256
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

from real_line.hub import CHAT, Hub
from services.provisioner.weights.hub import HubWeights
from services.provisioner.weights.source import WeightsList

CONFIG = b'{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}'
HEADER = json.dumps({"weight": {"dtype": "BF16", "shape": [50, 100], "data_offsets": [0, 10_000]}}).encode()
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + b"0123456789" * 1000


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[str]:
    for name in ("chat", "embedding", "large"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(CONFIG)
        (folder / "model.safetensors").write_bytes(WEIGHTS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        app = Hub(tmp_path / "models", f"http://localhost:{port}", rate=10_000_000).app()
        runner = web.AppRunner(app)
        await runner.setup()
        await web.SockSite(runner, free).start()
        yield f"http://127.0.0.1:{port}"
        await runner.cleanup()


async def listed(endpoint: str) -> WeightsList:
    """What the control plane tells a machine of the chat model."""
    weights = HubWeights(endpoint, None, served_by=endpoint, timeout_s=10)
    try:
        commit = await weights.commit(CHAT, "main")
        assert commit is not None
        found = await weights.list(CHAT, commit)
    finally:
        weights.close()
    assert found is not None
    return found


async def test_it_tells_sizes_and_checksums_of_what_a_worker_reads(endpoint: str) -> None:
    found = await listed(endpoint)
    git = sha1(b"blob %d\0%b" % (len(CONFIG), CONFIG), usedforsecurity=False).hexdigest()
    lfs = sha256(WEIGHTS).hexdigest()
    assert [(file.path, file.bytes, file.blob, file.sha256) for file in found.files] == [
        ("config.json", len(CONFIG), git, None),
        ("model.safetensors", len(WEIGHTS), lfs, lfs),
    ]


async def test_a_machine_goes_on_where_a_download_has_broken_off(endpoint: str) -> None:
    url = (await listed(endpoint)).files[1].url
    async with ClientSession() as session:
        async with session.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, WEIGHTS)
        async with session.get(url, headers={"Range": "bytes=400-"}) as answer:
            assert (answer.status, await answer.read()) == (206, WEIGHTS[400:])
            assert answer.headers["Content-Range"] == f"bytes 400-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
        async with session.get(url, headers={"Range": "bytes=0-9"}) as answer:
            assert (answer.status, await answer.read()) == (206, WEIGHTS[:10])
        async with session.get(url, headers={"Range": f"bytes={len(WEIGHTS)}-"}) as answer:
            assert answer.status == 416


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
    assert await asyncio.to_thread(Path(path).read_bytes) == WEIGHTS


async def test_what_it_does_not_have_is_refused_as_the_hub_does(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        await asyncio.to_thread(HfApi(endpoint=endpoint, token=False).model_info, "real-line/none")
    with pytest.raises(EntryNotFoundError):
        await asyncio.to_thread(
            hf_hub_download, CHAT, "none.json", endpoint=endpoint, cache_dir=tmp_path / "cache", token=False
        )
