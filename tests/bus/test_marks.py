"""A mark says whether the stream still has the history that was read, whatever was purged or written since."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.connection import connect
from shared.bus.marks import Mark, goes_on, is_of_stream, mark_at, mark_of
from shared.bus.reader import reading, stream_state
from shared.bus.topology import apply_topology
from shared.journal.streams import LIFECYCLE
from tests.rolled_back import rolled_back

NS = 1_799_999_999_123_456_789


@dataclass
class Scene:
    connection: Client

    async def happen(self, names: str) -> None:
        for name in names:
            await self.connection.jetstream().publish(f"journal.{name}.Event", b"")

    async def marks(self) -> list[Mark]:
        """Of every event, as they are read."""
        marks = list[Mark]()
        async with reading(self.connection, after=0, heartbeat_s=0.2) as events:
            while not events.caught_up:
                marks += [mark_of(message) for message in await events.batch()]
        return marks

    async def purge(self, name: str) -> None:
        await self.connection.jetstream().purge_stream(LIFECYCLE, subject=f"lifecycle.{name}.>")

    async def held(self, marks: list[Mark]) -> list[bool]:
        return [await is_of_stream(self.connection, mark) for mark in marks]


@pytest.fixture
async def scene(nats_url: str) -> AsyncGenerator[Scene]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    yield Scene(connection)
    await connection.close()


@pytest.mark.parametrize(
    "reply",
    [
        f"$JS.ACK.LIFECYCLE.reader.1.7.3.{NS}.0",
        f"$JS.ACK._.ACCOUNT.LIFECYCLE.reader.1.7.3.{NS}.0",
        f"$JS.ACK._.ACCOUNT.LIFECYCLE.reader.1.7.3.{NS}.0.random",
    ],
)
def test_a_mark_has_every_digit_of_the_time(reply: str) -> None:
    assert mark_of(Msg(None, "lifecycle.a.Event", reply)) == Mark(7, NS)  # type: ignore[arg-type]


async def test_what_was_read_is_of_the_stream_and_so_it_is_after_later_events(scene: Scene) -> None:
    await scene.happen("abc")
    marks = await scene.marks()
    assert marks == [await mark_at(scene.connection, sequence) for sequence in (1, 2, 3)]
    await scene.happen("de")
    assert await scene.held(marks) == [True] * 3
    assert await is_of_stream(scene.connection, None)


async def test_what_was_purged_is_still_of_the_stream(scene: Scene) -> None:
    await scene.happen("abac")
    marks = await scene.marks()
    await scene.purge("a")
    assert await mark_at(scene.connection, 1) is None
    await scene.purge("c")
    assert await scene.held(marks) == [True] * 4
    await scene.happen("d")
    assert await scene.held(marks) == [True] * 4


async def test_events_that_were_lost_are_not_of_the_stream_which_has_grown_past_them(scene: Scene) -> None:
    await scene.happen("ab")
    async with rolled_back(scene.connection):
        await scene.happen("cd")
        marks = await scene.marks()
    await scene.happen("cdef")
    assert await scene.held(marks) == [True, True, False, False]
    state = await stream_state(scene.connection)
    assert [await goes_on(scene.connection, state, mark.sequence, mark) for mark in marks] == [True, True, False, False]


async def test_lost_events_are_not_of_the_stream_if_those_in_their_place_were_purged(scene: Scene) -> None:
    await scene.happen("ab")
    async with rolled_back(scene.connection):
        await scene.happen("ccd")
        marks = await scene.marks()
    await scene.happen("cddef")
    await scene.purge("d")
    assert await mark_at(scene.connection, 4) is None
    assert await scene.held(marks) == [True, True, False, False, False]


async def test_a_sequence_that_the_stream_has_not_reached_is_not_of_it(scene: Scene) -> None:
    await scene.happen("a")
    assert not await goes_on(scene.connection, await stream_state(scene.connection), 2, None)
