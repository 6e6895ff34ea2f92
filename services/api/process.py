"""`python -m services.api.process PROCESS PROCESSES FOLDER`: one of several processes that serve one port.

It ends when its parent does, even by kill -9: its standard input is a pipe of the parent's.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.api.app import Api, running
from services.api.records.place import ProcessPlace, place_among
from services.api.settings import ApiSettings
from shared.environment import settings_or_exit
from shared.logs import configure_logs
from shared.running import run


@asynccontextmanager
async def while_its_parent_lives(settings: ApiSettings, place: ProcessPlace) -> AsyncIterator[Api]:
    """As `running`."""
    loop, pipe = asyncio.get_running_loop(), sys.stdin.fileno()

    def ended() -> None:
        loop.remove_reader(pipe)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(pipe, ended)
    async with running(settings, place) as api:
        yield api


def main(process: str, processes: str, folder: str) -> None:
    settings = settings_or_exit(ApiSettings)
    configure_logs("api", settings.log_level, settings.log_format)
    with place_among(int(process), int(processes), Path(folder)) as place:
        run(lambda: while_its_parent_lives(settings, place))


if __name__ == "__main__":
    main(*sys.argv[1:])
