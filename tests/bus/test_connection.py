"""The connection survives what time-outs do to it."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError, NoServersError
from nats.js import JetStreamContext
from pydantic import SecretStr
from structlog.testing import capture_logs

from shared.bus.connection import connect, connect_options, round_trip
from shared.bus.start_up import Broker, holder
from shared.running import StartRefused
from shared.settings import ServiceSettings
from tests.nats_proxy import Operation, nats_proxy


async def test_a_round_trip_that_was_given_up_does_no_harm_when_its_answer_comes_late(nats_url: str) -> None:
    async with nats_proxy(nats_url) as proxy:
        connection = await connect(proxy.url, "test")
        given_up = asyncio.Event()

        async def late(operation: Operation) -> bool:
            if operation.verb == "PONG":
                await given_up.wait()
            return True

        proxy.to_client = late
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await round_trip(connection)()
        given_up.set()
        await round_trip(connection)()
        await connection.request("$JS.API.INFO", timeout=60)
        await connection.close()


def broker(url: str) -> Coroutine[Any, Any, object]:
    return Broker(**connect_options(url, "test")).connect()


@pytest.mark.parametrize("connecting_to", [lambda url: connect(url, "test"), broker], ids=["connection", "broker"])
async def test_a_connection_that_is_given_up_while_its_server_says_nothing_is_closed(
    connecting_to: Callable[[str], Coroutine[Any, Any, object]],
) -> None:
    came, parted = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()
        writer.close()
        parted.set()

    gc.disable()  # it would close the connection, too
    try:
        async with asyncio.timeout(60), await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connecting = asyncio.create_task(connecting_to(f"nats://127.0.0.1:{port}"))
            await came.wait()
            connecting.cancel()
            await asyncio.wait([connecting])
            await parted.wait()
    finally:
        gc.enable()
    assert connecting.cancelled()


async def test_a_connection_that_fails_as_it_is_cancelled_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))

    async def refused(_: Client, **__: Any) -> None:
        tasks[0].cancel()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise NoServersError from None

    monkeypatch.setattr(Client, "connect", refused)
    tasks = [asyncio.create_task(connect("nats://127.0.0.1:9", "test"))]
    await asyncio.wait(tasks)
    assert tasks.pop().cancelled()
    gc.collect()
    assert said == []


@pytest.mark.parametrize("keeps_topology", [True, False])
async def test_a_service_that_fails_before_it_holds_anything_closes_its_connection(
    nats_url: str, *, keeps_topology: bool
) -> None:
    settings = ServiceSettings(nats_url=SecretStr(nats_url))
    with pytest.raises(ZeroDivisionError):
        async with holder(settings, "test", keeps_topology=keeps_topology, stop_grace_s=1) as service:
            raise ZeroDivisionError
    assert service.connection.is_closed


async def test_a_service_whose_start_is_refused_closes_its_connection(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[Client] = []

    async def refuses(jetstream: JetStreamContext, **_: Any) -> None:
        connections.append(jetstream._nc)
        raise StartRefused("for a test")

    monkeypatch.setattr("shared.bus.start_up.apply_topology", refuses)
    with pytest.raises(StartRefused):
        async with holder(ServiceSettings(nats_url=SecretStr(nats_url)), "test", keeps_topology=False, stop_grace_s=1):
            pytest.fail("it has started")
    (connection,) = connections
    assert connection.is_closed


@pytest.mark.parametrize("subject", ["$JS.API.INFO", "nobody.answers"])
async def test_a_cancellation_that_comes_together_with_the_answer_ends_who_asked(
    nats_url: str, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    connection = await connect(nats_url, "test")
    monkeypatch.setattr(asyncio, "wait_for", _cancelled_when_answered)
    asking = asyncio.create_task(connection.request(subject, timeout=60))
    await asyncio.wait({asking})
    assert asking.cancelled()
    monkeypatch.undo()
    assert (await connection.request("$JS.API.INFO", timeout=60)).data
    with pytest.raises(NoRespondersError):
        await connection.request("nobody.answers", timeout=60)
    await connection.close()


async def _cancelled_when_answered(answer: "asyncio.Future[Any]", _time_out_s: float) -> Any:
    """What Python 3.11's `wait_for` does when its task is cancelled after the answer came and before it woke up."""
    await answer
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return answer.result()


async def test_a_connection_that_is_closed_is_no_news_and_one_that_is_lost_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.connection._CLOSING_S", 0)
    closed, lost = connect_options("nats://127.0.0.1:9", "closed"), connect_options("nats://127.0.0.1:9", "lost")
    with capture_logs() as told:
        await closed["disconnected_cb"]()
        await closed["closed_cb"]()
        await lost["disconnected_cb"]()
        fired = asyncio.Event()
        asyncio.get_running_loop().call_later(0, fired.set)
        await fired.wait()
    assert [(each["event"], each["connection"]) for each in told] == [("nats disconnected", "lost")]
