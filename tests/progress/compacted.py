"""A compaction as a process that is killed after one of its steps: `python -m tests.progress.compacted STEP`."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from services.progress.archive import Archive
from services.progress.compaction import compact
from services.progress.settings import ProgressSettings
from shared.bus.connection import connected_once
from shared.bus.reader import stream_state


async def main(last: int) -> None:
    settings, steps = ProgressSettings(), 0

    def done(_: str) -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    now = datetime.now(UTC)
    async with connected_once(settings.nats_url.get_secret_value()) as connection:
        archive = Archive(settings.archive_dir or Path(), (await stream_state(connection)).installation)
        url = settings.database_url.get_secret_value()
        await compact(connection, url, archive, before=now, now=now, heartbeat_s=0.2, done=done)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
