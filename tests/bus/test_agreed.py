"""What every service of a stream must have the same: the first one sets it, and others are refused or follow."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from shared.bus.agreed import (
    LEASE,
    SCHEMA,
    TOPOLOGY,
    TOPOLOGY_VERSION,
    LeaseDiffers,
    OlderThanStream,
    lease_s_of,
    schema_of,
)
from shared.bus.connection import connect
from shared.bus.installation import installation_of
from shared.bus.topology import LAUNCH, TRIGGERS, WATCH, applied_topology, apply_topology
from shared.bus.topology_guard import TopologyGuard
from shared.journal.envelope import SCHEMA_VERSION
from shared.journal.streams import LIFECYCLE
from shared.running import StartRefused


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


async def leases(connection: Client) -> set[float | None]:
    """The stream's, and every consumer's."""
    jetstream = connection.jetstream()
    consumers = [await jetstream.consumer_info(LIFECYCLE, trigger.durable) for trigger in TRIGGERS]
    of_stream = lease_s_of((await jetstream.stream_info(LIFECYCLE)).config)
    return {of_stream, *(round(consumer.config.ack_wait or 0.0, 6) for consumer in consumers)}


async def guard_of(connection: Client, lease_s: float) -> TopologyGuard:
    return TopologyGuard(
        connection, await applied_topology(connection.jetstream(), replicas=1, ack_wait_s=lease_s), 1, lease_s
    )


async def test_a_service_with_another_lease_is_refused_and_changes_nothing(connection: Client) -> None:
    jetstream = connection.jetstream()
    installation = await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    sentence = "has leases of 5 s, and COLDSTART_LEASE_SECONDS is 7.5: set it to 5 for every service; or"
    for former in (None, 6.0):
        with pytest.raises(StartRefused, match=sentence) as refused:
            await apply_topology(jetstream, replicas=1, ack_wait_s=7.5, former_ack_wait_s=former)
        assert refused.type is LeaseDiffers
        assert "COLDSTART_FORMER_LEASE_SECONDS=5" in str(refused.value)
    assert await leases(connection) == {5}
    assert await apply_topology(jetstream, replicas=1, ack_wait_s=5) == installation


async def test_who_names_the_former_lease_changes_it_for_all_and_once(connection: Client) -> None:
    jetstream = connection.jetstream()
    installation = await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    for _ in range(2):  # a second service, with the same settings
        await apply_topology(jetstream, replicas=1, ack_wait_s=2.01, former_ack_wait_s=5)
        assert await leases(connection) == {2.01}
    assert installation_of((await jetstream.stream_info(LIFECYCLE)).config) == installation
    with pytest.raises(LeaseDiffers):
        await apply_topology(jetstream, replicas=1, ack_wait_s=5)


async def test_of_services_with_two_leases_that_make_the_stream_at_once_one_is_refused(nats_url: str) -> None:
    connections = [await connect(nats_url, f"service-{number}") for number in range(6)]
    applied = [
        apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5 + number % 2)
        for number, connection in enumerate(connections)
    ]
    outcomes = await asyncio.gather(*applied, return_exceptions=True)
    assert sum(isinstance(outcome, LeaseDiffers) for outcome in outcomes) == len(connections) // 2
    assert len(await leases(connections[0])) == 1
    for connection in connections:
        await connection.close()


async def test_a_stream_of_an_earlier_version_takes_the_lease_of_its_first_service(connection: Client) -> None:
    jetstream = connection.jetstream()
    await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    config = (await jetstream.stream_info(LIFECYCLE)).config
    earlier = {key: value for key, value in (config.metadata or {}).items() if key != LEASE}
    await jetstream.update_stream(config.evolve(metadata=earlier))
    await apply_topology(jetstream, replicas=1, ack_wait_s=7)
    assert await leases(connection) == {7}


async def test_what_others_keep_in_the_metadata_stays(connection: Client) -> None:
    jetstream = connection.jetstream()
    guard = await guard_of(connection, 5)
    config = (await jetstream.stream_info(LIFECYCLE)).config
    await jetstream.update_stream(config.evolve(metadata={"of.another": "1"}))
    await guard.look()
    await apply_topology(jetstream, replicas=1, ack_wait_s=6, former_ack_wait_s=5)
    metadata = (await jetstream.stream_info(LIFECYCLE)).config.metadata or {}
    assert (metadata["of.another"], metadata[LEASE]) == ("1", "6")


async def test_a_guard_puts_back_a_lost_lease_and_a_changed_ack_wait(connection: Client) -> None:
    jetstream = connection.jetstream()
    guard = await guard_of(connection, 2.01)
    config = (await jetstream.stream_info(LIFECYCLE)).config
    await jetstream.update_stream(config.evolve(metadata={"coldstart.installation": str(guard.identity.installation)}))
    info = await jetstream.consumer_info(LIFECYCLE, LAUNCH.durable)
    await jetstream.add_consumer(LIFECYCLE, info.config.evolve(ack_wait=1.0))
    await guard.look()
    assert guard.troubles == ()
    assert await leases(connection) == {2.01}


async def test_a_guard_never_reverts_a_lease_that_was_changed_on_purpose_and_tells_of_it(connection: Client) -> None:
    guard = await guard_of(connection, 5)
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=7, former_ack_wait_s=5)
    await guard.look()
    assert [trouble.of_appends for trouble in guard.troubles] == [False]
    assert "leases of 7 s, and this service works with 5 s" in guard.troubles[0].reason
    assert await leases(connection) == {7}


def test_a_lease_that_is_no_number_is_none() -> None:
    assert lease_s_of(StreamConfig(metadata={LEASE: "long"})) is None
    assert lease_s_of(StreamConfig()) is None


async def versions(connection: Client, **changes: str) -> StreamConfig:
    """Write these into the stream's metadata, and change a field, as services of another version would."""
    config = (await connection.jetstream().stream_info(LIFECYCLE)).config
    changed = config.evolve(metadata={**(config.metadata or {}), **changes}, max_msg_size=900_000)
    await connection.jetstream().update_stream(changed)
    return (await connection.jetstream().stream_info(LIFECYCLE)).config


async def wider(connection: Client) -> list[str]:
    """A newer version's filter of a consumer."""
    info = await connection.jetstream().consumer_info(LIFECYCLE, WATCH.durable)
    subjects = [*WATCH.subjects, "lifecycle.*.SomethingNovel"]
    await connection.jetstream().add_consumer(LIFECYCLE, info.config.evolve(filter_subjects=subjects))
    return subjects


async def filters(connection: Client) -> list[str]:
    info = await connection.jetstream().consumer_info(LIFECYCLE, WATCH.durable)
    return list(info.config.filter_subjects or ())


async def test_a_stream_remembers_the_versions_of_its_schema_and_its_topology(connection: Client) -> None:
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    config = (await connection.jetstream().stream_info(LIFECYCLE)).config
    assert (schema_of(config), (config.metadata or {})[TOPOLOGY]) == (SCHEMA_VERSION, str(TOPOLOGY_VERSION))


async def test_a_service_that_cannot_write_beside_newer_ones_does_not_start(connection: Client) -> None:
    jetstream = connection.jetstream()
    await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    before = await versions(connection, **{SCHEMA: str(SCHEMA_VERSION + 1)})
    with pytest.raises(StartRefused, match="install that version again, or restore") as refused:
        await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    assert refused.type is OlderThanStream
    assert (await jetstream.stream_info(LIFECYCLE)).config == before


async def test_a_service_that_runs_while_newer_ones_start_says_that_it_leaves_something_to_them(
    connection: Client,
) -> None:
    guard = await guard_of(connection, 5)
    await versions(connection, **{SCHEMA: str(SCHEMA_VERSION + 1)})
    await guard.look()
    assert [trouble.of_appends for trouble in guard.troubles] == [False]
    assert "is left to services of that version" in guard.troubles[0].reason
    assert schema_of((await connection.jetstream().stream_info(LIFECYCLE)).config) == SCHEMA_VERSION + 1


async def test_neither_a_start_nor_a_guard_takes_back_what_a_newer_version_has_declared(connection: Client) -> None:
    jetstream, guard = connection.jetstream(), await guard_of(connection, 5)
    before = await versions(connection, **{TOPOLOGY: str(TOPOLOGY_VERSION + 1)})
    subjects = await wider(connection)
    await guard.look()
    await apply_topology(jetstream, replicas=1, ack_wait_s=5)
    assert await filters(connection) == subjects
    assert (await jetstream.stream_info(LIFECYCLE)).config == before
    assert guard.troubles == ()


async def test_a_version_of_the_same_topology_takes_back_what_another_program_has_changed(connection: Client) -> None:
    guard = await guard_of(connection, 5)
    await wider(connection)
    await guard.look()
    assert await filters(connection) == WATCH.subjects
