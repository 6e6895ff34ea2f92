"""The connection survives what time-outs do to it."""

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
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


async def test_a_flush_is_answered_once_the_server_has_read_a_subscription_made_before_it(nats_url: str) -> None:
    came: list[str] = []

    async def told(operation: Operation) -> bool:
        came.append(operation.verb)
        return True

    async with nats_proxy(nats_url) as proxy:
        connection = await connect(proxy.url, "test")
        proxy.to_server = told
        for _ in range(3):
            await connection.subscribe("some.subject")
            await connection.flush()
        await connection.close()
    assert [verb for verb in came if verb in {"SUB", "PING"}] == ["SUB", "PING"] * 3


def broker(url: str) -> Coroutine[Any, Any, object]:
    return Broker(connect_options(url, "test")).connect()


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
        async with asyncio.timeout(120), await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            connecting = asyncio.create_task(connecting_to(f"nats://127.0.0.1:{port}"))
            await came.wait()
            connecting.cancel()
            await asyncio.wait([connecting])
            await parted.wait()
    finally:
        gc.enable()
    assert connecting.cancelled()


async def test_a_wait_for_nats_is_told_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.service_manager.SLOW_S", 0.0)
    with capture_logs() as logs:
        waiting = asyncio.create_task(connect("nats://api:secret@127.0.0.1:9,nats://api:secret@127.0.0.1:10", "test"))
        async with asyncio.timeout(120):
            while not any(line["event"] == "waiting for a server" for line in logs):  # noqa: ASYNC110 (only logged)
                await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    (told,) = [line for line in logs if line["event"] == "waiting for a server"]
    assert (told["server"], told["at"]) == ("NATS", "127.0.0.1:9, 127.0.0.1:10")
    assert "secret" not in str(logs)


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

    monkeypatch.setattr("shared.bus.start_up.applied_topology", refuses)
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


async def test_a_connection_over_which_nothing_comes_any_more_is_replaced(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.bus.connection.PING_S", 0.1)
    returned, a_new_one = asyncio.Event(), asyncio.Event()
    async with nats_proxy(nats_url) as proxy:
        connection = await connect(proxy.url, "test", returned.set)

        async def silent(operation: Operation) -> bool:
            if operation.verb == "INFO":
                a_new_one.set()
            return a_new_one.is_set()

        proxy.to_client = silent
        async with asyncio.timeout(120):
            await returned.wait()
        await connection.request("$JS.API.INFO", timeout=60)
        await connection.close()


async def test_a_loss_is_told_before_the_return_however_short_it_was(nats_url: str) -> None:
    returned = asyncio.Event()
    async with nats_proxy(nats_url) as proxy:
        connection = await connect(proxy.url, "test", returned.set)
        with capture_logs() as logs:
            proxy.cut()
            async with asyncio.timeout(120):
                await returned.wait()
            await connection.close()
        told = [line["event"] for line in logs if line["event"] in {"nats disconnected", "nats reconnected"}]
        assert told == ["nats disconnected", "nats reconnected"]


class Nobody:
    """A NATS server as far as a client's first lines go: `answers` is what it says to them."""

    def __init__(self, answers: bytes, heard_of: str = "") -> None:
        self.logins: list[dict[str, Any]] = []
        self.sent: list[bytes] = []
        self.heard = asyncio.Event()
        self._answers = answers
        self._wires: set[asyncio.StreamWriter] = set()
        self._info = {"server_id": "X", "version": "2.15.1", "proto": 1, "headers": True, "auth_required": True}
        self._info |= {"max_payload": 1_048_576, "client_id": 5, "connect_urls": [heard_of] if heard_of else []}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wires.add(writer)
        try:
            writer.write(b"INFO " + json.dumps(self._info).encode() + b"\r\n")
            while line := await reader.readline():
                if line.startswith(b"CONNECT "):
                    self.logins.append(json.loads(line.removeprefix(b"CONNECT ")))
                elif line == b"PING\r\n":
                    writer.write(self._answers)
                    if b"ERR" in self._answers:
                        break
                else:
                    self.sent.append(line)
                    self.heard.set()
        except ConnectionError:
            pass
        finally:
            self._wires.discard(writer)
            writer.close()

    async def ends(self) -> None:
        for wire in list(self._wires):
            wire.close()
            with suppress(ConnectionError):
                await wire.wait_closed()


@asynccontextmanager
async def listening(nobody: Nobody) -> AsyncGenerator[str]:
    server = await asyncio.start_server(nobody, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()
        await nobody.ends()


async def test_a_broker_whose_server_refuses_it_while_it_reconnects_comes_back_elsewhere(nats_url: str) -> None:
    nobody, returned = Nobody(b"-ERR 'Authorization Violation'\r\n"), asyncio.Event()
    async with nats_proxy(nats_url) as proxy, listening(nobody) as address:
        broker = Broker(connect_options(f"{proxy.url},nats://x:y@{address}", "test", returned.set))
        connection = await broker.connect()
        async with asyncio.timeout(120):
            while not nobody.logins:  # which server it asks first is chance
                returned.clear()
                proxy.cut()
                await returned.wait()
        await connection.request("$JS.API.INFO", timeout=60)
        await broker.stop()


async def test_a_server_of_the_cluster_that_is_only_heard_of_is_told_who_asks() -> None:
    heard_of = Nobody(b"PONG\r\n")
    async with listening(heard_of) as its_address:
        known = Nobody(b"PONG\r\n", heard_of=its_address)
        async with listening(known) as address:
            returned = asyncio.Event()
            connection = await connect(f"nats://someone:secret@{address}", "test", returned.set)
        async with asyncio.timeout(120):
            await returned.wait()
        assert [(each["user"], each["pass"]) for each in heard_of.logins[:1]] == [("someone", "secret")]
        await connection.close()


async def test_what_a_cluster_says_before_its_first_answer_does_not_make_the_connection_mute() -> None:
    nobody = Nobody(b'INFO {"server_id":"X","connect_urls":[]}\r\nPONG\r\n')
    async with listening(nobody) as address:
        connection = await connect(f"nats://someone:secret@{address}", "test")
        await connection.publish("something", b"")
        async with asyncio.timeout(120):
            await nobody.heard.wait()
        assert nobody.sent[0].startswith(b"PUB something")
        await connection.close()
