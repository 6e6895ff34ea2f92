"""Owns embedded servers until its standard input closes; run as a process of its own, so that a test can kill it.

Arguments: the data folder, and a user id to become first (or nothing). Prints one line of JSON once they run.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from coldstart.embedded import servers


async def own(data_dir: Path) -> None:
    async with servers(data_dir, None, None) as running:
        facts = {
            "nats_url": running.nats_url,
            "database_url": running.database_url,
            "pids": [server.pid for server in running.embedded],
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uid = int(sys.argv[2])
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    asyncio.run(own(Path(sys.argv[1])))
