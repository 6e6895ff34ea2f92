"""The service as a process."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE


async def test_every_line_that_it_prints_is_a_line_of_its_own_log(nats_url: str) -> None:
    settings = {"COLDSTART_NATS_URL": nats_url, "COLDSTART_MASTER_SECRET": "0123456789abcdef" * 4}
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.health"),
        env={**os.environ, **settings, "COLDSTART_LOG_FORMAT": "json", "COLDSTART_LOG_LEVEL": "info"},
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with asyncio.timeout(120):
            assert program.stderr is not None
            running = await program.stderr.readline()
            program.send_signal(signal.SIGTERM)
            printed, logged = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0
    assert printed == b""
    events = [json.loads(line)["event"] for line in [running, *logged.splitlines()]]
    assert events[:2] == ["running", "stopping"]
    assert not [event for event in events if "callback" in event], "what the bus does inside is nobody's business"
