"""The simulated cloud of a stack without a real one: a process, and the services' settings for it."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coldstart.last_words import size
from coldstart.providers import none_of_them
from coldstart.settings import from_environment
from coldstart.stack.processes import START_SECONDS, ServiceFailed, logging_to
from coldstart.supervised.process import module
from simulator.cloud.books import Books, BooksUnreadable
from simulator.settings import SimulatorSettings

_FOLDER: Final = "simulator"
_SSH_PORT: Final = 2222
_WORKER_PORT: Final = 8000


@dataclass(frozen=True)
class SimulatedCloud:
    """`environment` directs the services to it, as it would to Scaleway and Hugging Face.

    `ended` raises ServiceFailed once its process, and with it its machines, is gone.
    """

    url: str
    environment: Mapping[str, str]
    ended: Callable[[], Coroutine[None, None, None]]


def holds_servers(data_dir: Path) -> bool:
    """Whether the simulated cloud of this folder has servers. It need not run."""
    try:
        return bool(Books(data_dir / _FOLDER).read().servers)
    except BooksUnreadable:
        return True  # unknown


@asynccontextmanager
async def simulating(
    data_dir: Path, log_file: Path, scenario: str | None, *, anonymous: bool = False
) -> AsyncGenerator[SimulatedCloud]:
    """Its machines and volumes stay in `data_dir`; the next one there continues with them.

    `anonymous`: the services get no token for its hub. Raises ServiceFailed.
    """
    account = from_environment(SimulatorSettings)
    options = {
        "SIMULATOR_DATA_DIR": str(data_dir / _FOLDER),
        "SIMULATOR_KEEP": "true",
        "SIMULATOR_SSH_PORT": str(_SSH_PORT),
        "SIMULATOR_WORKER_PORT": str(_WORKER_PORT),
        **({"SIMULATOR_SCENARIO": scenario} if scenario else {}),
    }
    logged = size(log_file)
    async with logging_to(log_file, module("simulator", options), stdout=PIPE) as process:

        async def ended() -> None:
            await process.wait()
            raise ServiceFailed("simulator", log_file, "ended by itself", since=logged)

        url = await _announced(process, log_file, logged)
        yield SimulatedCloud(
            url,
            {
                **none_of_them(),
                "SCW_API_URL": url,
                "SCW_ACCESS_KEY": account.access_key,
                "SCW_SECRET_KEY": account.secret_key.get_secret_value(),
                "SCW_DEFAULT_PROJECT_ID": str(account.project_id),
                "SCW_DEFAULT_ZONE": account.zones[0],
                "HF_ENDPOINT": f"{url}/hub",
                "HF_TOKEN": "" if anonymous else account.hub_token.get_secret_value(),
                "COLDSTART_SIMULATED": "cloud,hub",
                "COLDSTART_SSH_PORT": str(_SSH_PORT),
                "COLDSTART_WORKER_PORT": str(_WORKER_PORT),
            },
            ended,
        )


async def _announced(process: asyncio.subprocess.Process, log_file: Path, logged: int) -> str:
    """Where it listens, from its first line of output."""
    if process.stdout is None:
        raise ServiceFailed("simulator", log_file, since=logged)
    try:
        async with asyncio.timeout(START_SECONDS):
            line = await process.stdout.readline()
        return str(json.loads(line)["url"])
    except (TimeoutError, ValueError) as error:
        raise ServiceFailed("simulator", log_file, since=logged) from error
