"""What another program changed is changed back and told; what cannot be is told until somebody has decided."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig
from nats.js.errors import APIError, NotFoundError

from shared.bus import drift
from shared.bus.connection import connect
from shared.bus.installation import AnotherInstallation, InstallationLost, StreamIdentity, installation_of
from shared.bus.topology import (
    DEAD_LETTERS,
    LAUNCH,
    REPLAYS,
    WATCH,
    applied_topology,
    apply_topology,
    consumers,
    streams,
)
from shared.bus.topology_guard import TopologyGuard
from shared.journal.journal import Journal
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from tests.bus.older_streams import let_events_be_deleted
from tests.journal.test_journal import requested
from tests.nats_proxy import Operation, nats_proxy

ACK_WAIT_S = 5.0
WITHIN_S = 60
OVERWRITTEN: dict[str, object] = {
    "subject_transform": None,
    "republish": None,
    "allow_direct": False,
    "metadata": {},
    "max_age": 3600,
}
"""What a client that declares a stream by its own defaults leaves out."""


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


class Seen(TopologyGuard):
    """Tells when it has looked."""

    def __init__(self, connection: Client, identity: StreamIdentity) -> None:
        super().__init__(connection, identity, 1, ACK_WAIT_S, look_s=3600)
        self.looks: asyncio.Queue[None] = asyncio.Queue()

    async def look(self) -> None:
        await super().look()
        self.looks.put_nowait(None)


@asynccontextmanager
async def guarding(connection: Client) -> AsyncGenerator[Seen]:
    """Runs, and looks only at first and when it hears of a change."""
    guard = Seen(connection, await applied_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S))
    running = asyncio.create_task(guard.run())
    await guard.looks.get()
    yield guard
    running.cancel()


async def a_guard(connection: Client) -> TopologyGuard:
    """Looks when it is told to."""
    identity = await applied_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S)
    return TopologyGuard(connection, identity, 1, ACK_WAIT_S)


async def mended(guard: Seen, connection: Client) -> None:
    async with asyncio.timeout(WITHIN_S):
        await guard.looks.get()
        while await differing(connection, guard.identity.installation):
            await guard.looks.get()


async def differing(connection: Client, installation: UUID) -> list[tuple[str, ...]]:
    """What of the topology is not as declared; a stream without its installation, too."""
    jetstream = connection.jetstream()
    of_streams = [
        drift.of_stream(declared, (await jetstream.stream_info(str(declared.name))).config)
        for declared in streams(1, installation)
    ]
    of_consumers = [await of_consumer(connection, on, declared) for on, declared in consumers(1, ACK_WAIT_S)]
    of_identity = () if await owner(connection) == installation else ("installation",)
    return [found for found in (*of_streams, *of_consumers, of_identity) if found]


async def owner(connection: Client) -> UUID | None:
    return installation_of((await connection.jetstream().stream_info(LIFECYCLE)).config)


async def of_consumer(connection: Client, on: str, declared: ConsumerConfig) -> tuple[str, ...]:
    try:
        found = await connection.jetstream().consumer_info(on, str(declared.name))
    except NotFoundError:
        return ("deleted",)
    return drift.of_consumer(declared, found)


async def overwrite(connection: Client) -> None:
    config = (await connection.jetstream().stream_info(LIFECYCLE)).config
    await connection.jetstream().update_stream(config.evolve(**OVERWRITTEN))


async def recorded(connection: Client, installation: UUID) -> None:
    """One event, as a service of this installation records it."""
    journal = Journal(connection, actor="test", source=f"/coldstart/{installation}")
    await journal.request(requested(uuid4()), intent_id=uuid4())


async def test_an_untouched_topology_has_no_drift_and_no_trouble(connection: Client) -> None:
    guard = await a_guard(connection)
    await guard.look()
    assert guard.troubles == ()
    assert await differing(connection, guard.identity.installation) == []
    assert (await connection.jetstream().stream_info(LIFECYCLE)).state.last_seq == 0


async def test_an_overwritten_stream_is_changed_back_as_soon_as_the_server_tells_of_it(connection: Client) -> None:
    async with guarding(connection) as guard:
        await recorded(connection, guard.identity.installation)
        await overwrite(connection)
        await mended(guard, connection)
        assert guard.troubles == ()


async def test_a_deleted_or_paused_consumer_is_made_or_resumed_as_soon_as_the_server_tells_of_it(
    connection: Client,
) -> None:
    async with guarding(connection) as guard:
        await connection.jetstream().delete_consumer(LIFECYCLE, WATCH.durable)
        await mended(guard, connection)
        await connection.jetstream().pause_consumer(LIFECYCLE, LAUNCH.durable, "2100-01-01T00:00:00Z")
        await mended(guard, connection)


async def test_what_is_read_again_anyway_is_made_anew_with_its_consumers(connection: Client) -> None:
    async with guarding(connection) as guard:
        await connection.jetstream().delete_stream(REPLAYS)
        await mended(guard, connection)


async def test_two_guards_change_the_same_back_at_once(connection: Client) -> None:
    guards = [await a_guard(connection), await a_guard(connection)]
    await overwrite(connection)
    await connection.jetstream().delete_consumer(LIFECYCLE, WATCH.durable)
    await asyncio.gather(*(guard.look() for guard in guards))
    assert await differing(connection, guards[0].identity.installation) == []
    assert [guard.troubles for guard in guards] == [(), ()]


async def test_events_cannot_be_deleted_and_a_client_with_its_own_defaults_is_refused(
    connection: Client,
) -> None:
    guard = await a_guard(connection)
    await recorded(connection, guard.identity.installation)
    jetstream = connection.jetstream()
    for forbidden in (
        jetstream.delete_msg(LIFECYCLE, 1),
        jetstream.update_stream(name=LIFECYCLE, subjects=[EVERY_EVENT]),
        jetstream.purge_stream(DEAD_LETTERS),
        jetstream.purge_stream(REPLAYS),
    ):
        with pytest.raises(APIError):
            await forbidden
    assert await differing(connection, guard.identity.installation) == []


async def test_what_an_earlier_version_made_is_protected_by_the_next_start(connection: Client) -> None:
    installation = await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S)
    await let_events_be_deleted(connection.jetstream())
    await recorded(connection, installation)
    assert installation == await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S)
    assert await differing(connection, installation) == []
    with pytest.raises(APIError):
        await connection.jetstream().delete_msg(LIFECYCLE, 1)


async def test_a_stream_of_an_earlier_version_goes_on_denying_purges(connection: Client) -> None:
    """The server lifts no denial, so whoever asked for it would be refused at every start."""
    jetstream = connection.jetstream()
    installation = await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S)
    info = await jetstream.stream_info(LIFECYCLE)
    await jetstream.update_stream(info.config.evolve(deny_purge=True, description="as it was before"))
    assert installation == await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S)
    guard = await a_guard(connection)
    await guard.look()
    assert guard.troubles == ()
    with pytest.raises(APIError):
        await jetstream.purge_stream(LIFECYCLE)


async def test_a_stream_that_is_gone_is_told_and_not_made_until_somebody_starts_anew(connection: Client) -> None:
    guard = await a_guard(connection)
    await connection.jetstream().delete_stream(LIFECYCLE)
    await guard.look()
    assert [trouble.of_appends for trouble in guard.troubles] == [True]
    assert "restore its backup" in guard.troubles[0].reason
    with pytest.raises(NotFoundError):
        await connection.jetstream().stream_info(LIFECYCLE)


async def test_a_stream_of_another_installation_or_of_no_one_is_never_taken_over(connection: Client) -> None:
    guard = await a_guard(connection)
    await connection.jetstream().delete_stream(LIFECYCLE)
    another = await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S)
    await guard.look()
    assert [str(another) in trouble.reason for trouble in guard.troubles] == [True]
    assert await owner(connection) == another
    await connection.jetstream().delete_stream(LIFECYCLE)
    await connection.jetstream().add_stream(name=LIFECYCLE, subjects=[EVERY_EVENT])
    await guard.look()
    assert ["made by another program" in trouble.reason for trouble in guard.troubles] == [True]
    assert await owner(connection) is None


async def test_what_cannot_be_changed_back_is_told(connection: Client) -> None:
    guard = await a_guard(connection)
    await connection.jetstream().delete_stream(DEAD_LETTERS)
    await connection.jetstream().add_stream(name=DEAD_LETTERS, subjects=["dead_letters.>"], storage="memory")
    await guard.look()
    assert [trouble.of_appends for trouble in guard.troubles] == [False]
    assert "storage" in guard.troubles[0].reason


async def test_a_server_that_does_not_answer_and_a_look_that_does_not_come_are_troubles(
    connection: Client, nats_url: str
) -> None:
    guard = await a_guard(connection)
    async with nats_proxy(nats_url) as proxy:
        through = await connect(proxy.url, "through")

        async def swallow(operation: Operation) -> bool:
            return not operation.subject.startswith("journal.")

        proxy.to_server = swallow
        behind = TopologyGuard(through, guard.identity, 1, ACK_WAIT_S, answer_s=3.0)
        await behind.look()
        assert ["appends get no answer" in trouble.reason for trouble in behind.troubles] == [True]
        await through.close()
    now = 0.0
    stalled = TopologyGuard(connection, guard.identity, 1, ACK_WAIT_S, look_s=5, clock=lambda: now)
    await stalled.look()
    at_first = stalled.troubles
    now = 16.0
    assert (len(at_first), [trouble.of_appends for trouble in stalled.troubles]) == (0, [True])


async def test_a_start_with_a_stream_that_lost_its_installation_says_what_to_do(connection: Client) -> None:
    jetstream = connection.jetstream()
    installation = await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S)
    await recorded(connection, installation)
    await overwrite(connection)
    with pytest.raises(InstallationLost, match=f"COLDSTART_INSTALLATION={installation}"):
        await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S)
    with pytest.raises(AnotherInstallation, match=str(installation)):
        await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S, installation=uuid4())
    assert installation == await apply_topology(jetstream, replicas=1, ack_wait_s=ACK_WAIT_S, installation=installation)
    assert await differing(connection, installation) == []


async def test_a_start_with_a_stream_of_another_program_says_what_to_do(connection: Client) -> None:
    await connection.jetstream().add_stream(name=LIFECYCLE, subjects=[EVERY_EVENT])
    for wanted in (None, uuid4()):
        with pytest.raises(InstallationLost, match="nats stream rm LIFECYCLE"):
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=ACK_WAIT_S, installation=wanted)
