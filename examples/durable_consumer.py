"""Handles every event at least once, with a durable consumer: the server remembers what was acknowledged.

Stop it and start it again: it goes on where it was. Several copies share the work.
"""

import asyncio
import json
import os

import nats
from nats.aio.msg import Msg


def handle(message: Msg) -> None:
    """What happens twice has the same `id` twice: a message comes again if its handler was stopped before its ack."""
    event = json.loads(message.data)
    after = event["data"].get("instance") or event["data"]["deployment"]
    print(event["id"], event["type"], after["status"], flush=True)


async def main() -> None:
    connection = await nats.connect(os.environ["NATS_URL"])
    events = await connection.jetstream().pull_subscribe("lifecycle.>", durable="my-program", stream="LIFECYCLE")
    while True:
        try:
            messages = await events.fetch(100, timeout=30)
        except TimeoutError:  # nothing has happened for so long
            continue
        for message in messages:
            handle(message)
            await message.ack_sync()  # returns once the server has it


asyncio.run(main())
