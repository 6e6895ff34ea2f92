"""Prints every event, from the first one that is kept. FastStream decodes the JSON."""

import asyncio
import os
from typing import Any

from faststream import FastStream
from faststream.nats import JStream, NatsBroker

broker = NatsBroker(os.environ["NATS_URL"], logger=None)


@broker.subscriber("lifecycle.>", stream=JStream("LIFECYCLE", declare=False))  # the stream is there: declare nothing
async def happened(event: dict[str, Any]) -> None:
    after = event["data"].get("instance") or event["data"]["deployment"]
    print(event["time"], event["type"], after["status"], flush=True)


asyncio.run(FastStream(broker, logger=None).run())
