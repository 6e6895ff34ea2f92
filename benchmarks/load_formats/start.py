"""One start of the real vLLM, from the command to the first token."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import psutil

from benchmarks.load_formats import log, page_cache
from benchmarks.load_formats.environment import Failed, prefer
from benchmarks.load_formats.log import Line
from benchmarks.load_formats.ways import Way
from coldstart.supervised.process import BARE
from tests.api.fakes import free_port

_START_S: Final = 600.0
_STOP_S: Final = 30.0
_OK: Final = 200


class Refused(Exception):
    """vLLM ended before it was ready; the message is its own."""


@dataclass(frozen=True)
class Start:
    """In seconds: until the load began, of the load, until it was ready, until the first token.

    `weights_s`: of the load, as vLLM itself gives it. `cpu_s`: processor time of all its processes until it was ready.
    """

    before_s: float
    load_s: float
    weights_s: float | None
    compiled_s: float
    ready_s: float
    first_token_s: float
    cpu_s: float
    busy: float
    """The processors' time that went to others, as a share of all, 0 to 1."""


@dataclass(frozen=True)
class Place:
    """`python` of vLLM's environment, the folders of the model in both forms, and one for caches."""

    python: Path
    model: Path
    sharded: Path
    caches: Path
    nice: int
    """Of vLLM's processes: below 0 they go before others, which only root may ask for."""

    def of(self, way: Way) -> Path:
        """The model as this way reads it."""
        return self.sharded if way.sharded else self.model


async def start(way: Way, place: Place, *, cold: bool) -> Start:
    """Raises Refused, and Failed where nothing can be measured."""
    files = page_cache.weights(place.of(way))
    await (page_cache.evict(files) if cold else page_cache.warm(files))
    port, lines, began = free_port(), list[Line](), time.monotonic()
    all_before, at_work_before = _machine_s()
    async with _running(way, place, port) as process:
        reading = asyncio.create_task(_read(process, lines, began))
        reader = await _reader(files) if way.host_reads else None
        try:
            await _ready(process, reading, port, lines)
            ready_s, cpu_s = time.monotonic() - began, _cpu_s(process.pid)
            all_s, at_work_s = _machine_s()
            of_others = (at_work_s - at_work_before - cpu_s) / (all_s - all_before)
            await _first_token(port)
            first_token_s = time.monotonic() - began
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            if reader is not None:
                await reader.wait()
    return Start(
        log.before_model_s(lines) or 0.0, log.model_s(lines) or 0.0, log.weights_s(lines), log.compiled_s(lines),
        ready_s, first_token_s, cpu_s, max(0.0, of_others),
    )  # fmt: skip


@asynccontextmanager
async def _running(way: Way, place: Place, port: int) -> AsyncGenerator[Process]:
    eager = ("--enforce-eager",) if way.eager else ()
    environment = {
        **BARE,
        "PATH": f"{place.python.parent}:{os.defpath}",
        "HOME": str(place.caches),
        "HF_HUB_OFFLINE": "1",
        "VLLM_CACHE_ROOT": str(place.caches / "vllm"),
        "TORCHINDUCTOR_CACHE_DIR": str(place.caches / "inductor"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(place.python.with_name("vllm"), "serve", place.of(way), "--served-model-name", "model"),
        *("--host", "127.0.0.1", "--port", str(port), "--max-model-len", "512", "--max-num-seqs", "4"),
        *(*eager, *way.arguments),
        stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment, limit=2**20, start_new_session=True,
    )  # fmt: skip
    prefer(process.pid, place.nice)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _read(process: Process, lines: list[Line], began: float) -> None:
    while process.stdout is not None and (line := await process.stdout.readline()):
        lines.append(Line(time.monotonic() - began, line.decode(errors="replace").rstrip()))


async def _reader(files: Sequence[Path]) -> Process:
    return await asyncio.create_subprocess_exec("cat", *files, stdout=DEVNULL)


async def _ready(process: Process, reading: asyncio.Task[None], port: int, lines: list[Line]) -> None:
    until = time.monotonic() + _START_S
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while time.monotonic() < until:
            if process.returncode is not None:
                await reading
                raise Refused(log.why(lines))
            try:
                if (await client.get("/health")).status_code == _OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
    raise Failed(f"vLLM was not ready in {_START_S:g} s.")


async def _first_token(port: int) -> None:
    asked = {"model": "model", "prompt": "What is", "max_tokens": 1}
    async with httpx.AsyncClient(timeout=_START_S) as client:
        (await client.post(f"http://127.0.0.1:{port}/v1/completions", json=asked)).raise_for_status()


def _cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def _machine_s() -> tuple[float, float]:
    """Seconds of all processors since the boot: all, and those at work."""
    times = psutil.cpu_times()
    return sum(times), sum(times) - times.idle - times.iowait
