"""What followers read is what the stream holds, whoever copies it, and whatever a follower did to it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from services.progress.followers_copy import SEQUENCE, FollowersCopy
from shared.bus.connection import connect
from shared.bus.installation import installation_of
from shared.bus.topology import apply_topology
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from tests.rolled_back import rolled_back

WITHIN_S = 60


@dataclass
class Scene:
    """`target` is a connection in the followers' account."""

    source: Client
    target: Client

    def copy(self) -> FollowersCopy:
        return FollowersCopy(self.source, self.target, replicas=1, heartbeat_s=0.2)

    @asynccontextmanager
    async def copying(self, copiers: int = 1) -> AsyncGenerator[None]:
        running = [asyncio.create_task(self.copy().run()) for _ in range(copiers)]
        yield
        for task in running:
            task.cancel()

    async def happen(self, *names: str) -> None:
        for name in names:
            await self.source.jetstream().publish(f"journal.{name}.Event", name.encode())

    async def copied(self, number: int) -> list[RawStreamMsg]:
        """All that the copy holds, once its last is so much."""
        jetstream = self.target.jetstream()
        async with asyncio.timeout(WITHIN_S):
            while (await jetstream.stream_info(LIFECYCLE)).state.last_seq < number:
                await self.heard()
        return [await jetstream.get_msg(LIFECYCLE, seq=sequence) for sequence in range(1, number + 1)]

    async def copied_names(self, number: int) -> list[bytes]:
        """As `copied`; empty while the copy is being made anew."""
        try:
            return [message.data or b"" for message in await self.copied(number)]
        except NotFoundError:
            return []

    async def heard(self) -> None:
        """Something that a plain follower hears."""
        subscription = await self.target.subscribe(EVERY_EVENT)
        try:
            await subscription.next_msg(0.2)
        except TimeoutError:
            pass
        finally:
            await subscription.unsubscribe()


@pytest.fixture
def followers_url(accounts: Iterator[str]) -> str:
    return next(accounts)


@pytest.fixture
async def scene(nats_url: str, followers_url: str) -> AsyncGenerator[Scene]:
    source, target = await connect(nats_url, "source"), await connect(followers_url, "target")
    await apply_topology(source.jetstream(), replicas=1, ack_wait_s=5)
    scene = Scene(source, target)
    await scene.copy().prepare()
    yield scene
    for connection in (source, target):
        await connection.close()


async def test_the_copy_has_what_was_and_what_comes_under_the_same_subjects_and_tells_plain_subscribers(
    scene: Scene,
) -> None:
    await scene.happen("a", "b")
    told = await scene.target.subscribe(EVERY_EVENT)
    async with scene.copying():
        await scene.happen("c")
        copied = await scene.copied(3)
    assert [(message.subject, message.data) for message in copied] == [
        (f"lifecycle.{name}.Event", name.encode()) for name in ("a", "b", "c")
    ]
    assert [(await told.next_msg(WITHIN_S)).data for _ in range(3)] == [b"a", b"b", b"c"]


async def test_a_copier_goes_on_where_the_one_before_stopped_and_many_at_once_repeat_nothing(scene: Scene) -> None:
    async with scene.copying():
        await scene.happen("a", "b")
        await scene.copied(2)
    async with scene.copying(copiers=3):
        await scene.happen(*"cdefg")
        copied = await scene.copied(7)
    assert [message.data for message in copied] == [name.encode() for name in "abcdefg"]
    assert [(message.headers or {})[SEQUENCE] for message in copied] == [str(number) for number in range(1, 8)]


async def test_a_copy_that_somebody_wrote_into_is_made_anew(scene: Scene) -> None:
    await scene.happen("a")
    async with scene.copying():
        await scene.copied(1)
        await scene.target.jetstream().publish("journal.forged.Event", b"forged")
        await scene.happen("b")
        async with asyncio.timeout(WITHIN_S):
            while await scene.copied_names(2) != [b"a", b"b"]:
                await scene.heard()


async def test_the_stream_of_another_installation_is_copied_from_its_beginning(scene: Scene) -> None:
    await scene.happen("a")
    async with scene.copying():
        await scene.copied(1)
    await scene.source.jetstream().delete_stream(LIFECYCLE)
    installation = await apply_topology(scene.source.jetstream(), replicas=1, ack_wait_s=5)
    await scene.happen("b")
    async with scene.copying():
        async with asyncio.timeout(WITHIN_S):
            while await scene.copied_names(1) != [b"b"]:
                await scene.heard()
    assert installation_of((await scene.target.jetstream().stream_info(LIFECYCLE)).config) == installation


async def test_a_stream_that_was_rolled_back_and_has_grown_past_the_copy_is_copied_anew(scene: Scene) -> None:
    await scene.happen("a")
    async with rolled_back(scene.source), scene.copying():
        await scene.happen("b", "c")
        await scene.copied(3)
    await scene.happen(*"defg")
    async with scene.copying():
        async with asyncio.timeout(WITHIN_S):
            while await scene.copied_names(5) != [b"a", b"d", b"e", b"f", b"g"]:
                await scene.heard()
