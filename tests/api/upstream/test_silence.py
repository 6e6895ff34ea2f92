"""How long a worker has been silent: only the time in which we waited for it counts."""

import asyncio
from collections.abc import Awaitable, Callable

from services.api.upstream import Answer
from services.api.upstream.connection import WorkerConnection
from tests.api.upstream.wire import Wire, an_open_connection, asked


class Clock:
    now = 100.0


def at_a_clock(scene: Callable[[Clock, WorkerConnection, Answer], Awaitable[None]]) -> None:
    """Play a scene in which no time passes by itself."""
    clock = Clock()

    async def play() -> None:
        connection = an_open_connection(Wire())
        await scene(clock, connection, asked(connection))

    with asyncio.Runner() as runner:
        runner.get_loop().time = lambda: clock.now  # type: ignore[method-assign]
        runner.run(play())


async def waiting(answer: Answer) -> asyncio.Task[bytes]:
    task = asyncio.ensure_future(answer.chunk())
    await asyncio.sleep(0)
    return task


def test_it_counts_from_when_somebody_waits() -> None:
    async def scene(clock: Clock, connection: WorkerConnection, answer: Answer) -> None:
        clock.now += 60
        assert connection.silent_s(clock.now) == 0
        task = await waiting(answer)
        clock.now += 3
        assert connection.silent_s(clock.now) == 3
        task.cancel()

    at_a_clock(scene)


def test_a_byte_is_a_sign_of_life_even_if_it_brings_nothing_to_read() -> None:
    async def scene(clock: Clock, connection: WorkerConnection, answer: Answer) -> None:
        task = await waiting(answer)
        clock.now += 3
        connection.data_received(b"HTTP/1.1 100 ")
        clock.now += 1
        assert connection.silent_s(clock.now) == 1
        task.cancel()

    at_a_clock(scene)


def test_a_worker_that_takes_what_it_is_sent_is_alive() -> None:
    async def scene(clock: Clock, connection: WorkerConnection, answer: Answer) -> None:
        task = await waiting(answer)
        clock.now += 3
        connection.resume_writing()
        clock.now += 1
        assert connection.silent_s(clock.now) == 1
        task.cancel()

    at_a_clock(scene)


def test_an_idle_connection_owes_nothing() -> None:
    async def scene(clock: Clock, connection: WorkerConnection, answer: Answer) -> None:
        connection.data_received(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await answer.chunk() == b""
        connection.rest(clock.now)
        clock.now += 60
        assert connection.silent_s(clock.now) == 0

    at_a_clock(scene)
