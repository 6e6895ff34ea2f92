"""One NATS connection per process: reconnects for ever, says so in the log."""

from typing import Any, Final, TypedDict

import nats
import structlog
from nats.aio.client import Client

RECONNECT_WAIT_S: Final = 0.25

log = structlog.get_logger()


class ConnectOptions(TypedDict):
    servers: list[str]
    name: str
    max_reconnect_attempts: int
    reconnect_time_wait: Any  # annotated int by FastStream, taken as seconds of any kind by nats-py
    error_cb: Any
    disconnected_cb: Any
    reconnected_cb: Any


def connect_options(url: str, name: str) -> ConnectOptions:
    """For `nats.connect` and FastStream's `NatsBroker` alike."""

    async def on_error(error: Exception) -> None:
        log.warning("nats error", connection=name, reason=repr(error))

    async def on_disconnect() -> None:
        log.warning("nats disconnected", connection=name)

    async def on_reconnect() -> None:
        log.info("nats reconnected", connection=name)

    return ConnectOptions(
        servers=[url],
        name=name,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT_S,
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
    )


async def connect(url: str, name: str) -> Client:
    return await nats.connect(**connect_options(url, name))
