"""How long a worker's load takes at a machine's rates: imports, download, load, compilation, graphs."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from simulator.host import model_cache
from simulator.host.disk import Container
from simulator.host.model import DISK_READ, DISK_WRITE, HUB, NETWORK, MachineModel
from simulator.hub.models import LEGACY, MODELS, Model

STARTED: Final = 0.05
DOWNLOADED: Final = 0.25
LOADED: Final = 0.65
COMPILED: Final = 0.75
"""The share of the load that is done after each part, as the worker's log has it (`worker/log.py`)."""
EAGER: Final = "--enforce-eager"
_OF_THE_SERVER: Final = ("--port", "--host", "--ssl-", "--served-model-name")
_NOT_READ: Final = ".md"
_OFFLINE: Final = (
    "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder for the "
    "specified revision on the local disk and outgoing traffic has been disabled. To enable repo look-ups and "
    "downloads online, pass 'local_files_only=False' as input."
)
_SIDE_BY_SIDE: Final = 8
"""Files that huggingface_hub downloads at once."""


async def load(machine: MachineModel, container: Container, tell: Callable[[float], None]) -> None:
    """Returns once the worker can answer. `tell` is told which share is done: 0 with the first line, 1 at the end."""
    rates = machine.rates
    await machine.sleep(rates.container_seconds)
    tell(0.0)
    await machine.sleep(rates.engine_seconds)
    tell(STARTED)
    model = _model_of(container)
    if model is not None:
        await _load_weights(machine, model, container, tell)
    tell(LOADED)
    if EAGER not in container.arguments:
        await _compile(machine, container)
        tell(COMPILED)
        await machine.sleep(rates.graph_seconds)
    tell(1.0)


async def _load_weights(
    machine: MachineModel, model: Model, container: Container, tell: Callable[[float], None]
) -> None:
    """Download what is not in the cache, then read all of it."""
    missing = model.files() if container.cache is None else model_cache.missing(container.cache, model)
    here, total = dict.fromkeys(missing, 0.0), sum(model.files().values())
    some_at_a_time = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def download(path: str) -> None:
        def report(moved: float) -> None:
            here[path] = moved
            tell(STARTED + (DOWNLOADED - STARTED) * sum(here.values()) / sum(missing.values()))

        async with some_at_a_time:
            await machine.move(missing[path], {NETWORK, HUB, DISK_WRITE}, machine.rates.hub_connection, report)

    async with asyncio.TaskGroup() as downloads:
        for path in missing:
            downloads.create_task(download(path), name=f"download-{path}")
    if container.cache is not None:
        model_cache.lay(container.cache, model)
    tell(DOWNLOADED)
    await machine.move(
        total, {DISK_READ}, machine.rates.load, lambda moved: tell(DOWNLOADED + (LOADED - DOWNLOADED) * moved / total)
    )


def why_not(container: Container) -> str | None:
    """Why its vLLM cannot load the model: it may not ask the hub, and a file is not there, or not all of it."""
    model = _model_of(container)
    if container.environment.get("HF_HUB_OFFLINE") != "1" or model is None or container.cache is None:
        return None
    read = [path for path in model_cache.missing(container.cache, model) if not path.endswith(_NOT_READ)]
    return _OFFLINE if read else None


def of_the_engine(arguments: Sequence[str]) -> Iterator[str]:
    """Those on which depends what vLLM compiles. Each option of its server has one value."""
    left = iter(arguments)
    for word in left:
        if word.startswith(_OF_THE_SERVER):
            next(left, None)
        else:
            yield word


async def _compile(machine: MachineModel, container: Container) -> None:
    compiled = _compiled(container)
    if compiled is not None and compiled.exists():
        await machine.sleep(machine.rates.compiled_seconds)
        return
    await machine.sleep(machine.rates.compile_seconds)
    keep_compiled(container)


def keep_compiled(container: Container) -> None:
    """As its vLLM does, once it has compiled: for the next one whose machine has the same folder."""
    compiled = None if EAGER in container.arguments else _compiled(container)
    if compiled is not None:
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.touch()


def _compiled(container: Container) -> Path | None:
    """What an earlier worker has compiled is found if it was of the same image and arguments, but for the server's."""
    if container.kernels is None:
        return None
    named = " ".join(of_the_engine(container.arguments))
    return container.kernels / sha256(f"{container.image} {named}".encode()).hexdigest()


def _model_of(container: Container) -> Model | None:
    """What the hub has of it; None: another place has it, and nothing is known of its size."""
    words = container.arguments
    name = words[words.index("--model") + 1] if "--model" in words else words[0] if words else ""
    return MODELS.get(LEGACY.get(name, name))
