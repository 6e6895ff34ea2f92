"""`python -m simulator`: runs until SIGTERM or SIGINT. The first line on standard output is {"url": …}."""

import asyncio
import json
import signal
import sys

from simulator.app import Simulator
from simulator.cloud.books import BooksUnreadable


async def main() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    try:
        async with Simulator() as simulator:
            sys.stdout.write(json.dumps({"url": simulator.url}) + "\n")
            sys.stdout.flush()
            await stopped.wait()
    except BooksUnreadable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    asyncio.run(main())
