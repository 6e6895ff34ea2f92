"""`python -m simulator`: runs until SIGTERM or SIGINT. The first line on standard output is {"url": …}."""

import asyncio
import json
import signal
import sys

from pydantic import ValidationError

from simulator.app import Simulator
from simulator.cloud.books import BooksUnreadable
from simulator.settings import SimulatorSettings


async def main(settings: SimulatorSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    try:
        async with Simulator(settings) as simulator:
            sys.stdout.write(json.dumps({"url": simulator.url}) + "\n")
            sys.stdout.flush()
            await stopped.wait()
    except BooksUnreadable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    try:
        settings = SimulatorSettings()
    except ValidationError as error:
        for item in error.errors():
            sys.stderr.write(f"SIMULATOR_{'.'.join(map(str, item['loc']))}".upper() + f": {item['msg']}.\n")
        sys.exit(2)
    asyncio.run(main(settings))
