"""A machine whose clock is wrong by minutes: it is noticed, told, and the server's time is used."""

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from shared.bus.connection import connect
from shared.bus.server_clock import keeping_time, measure, warning
from shared.bus.topology import apply_topology
from shared.clock import CLOCK, Clock, ClockOffset
from tests.health.watching import World, a_world, watched

AHEAD_S = 600.0


def wrong() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=AHEAD_S)


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    yield connection
    await connection.close()


@pytest.fixture
def wrong_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's clock is wrong for every service that the test starts."""
    monkeypatch.setattr(CLOCK, "_own", wrong)
    yield
    CLOCK.measured = None


@pytest.mark.parametrize("ahead_s", [AHEAD_S, -AHEAD_S, 0.0])
async def test_the_offset_is_measured_and_the_server_s_time_is_used(connection: Client, ahead_s: float) -> None:
    clock = Clock(own=lambda: datetime.now(UTC) + timedelta(seconds=ahead_s))
    measured = await measure(connection, clock)
    assert measured is not None
    assert abs(measured.ahead_s - ahead_s) <= measured.within_s + 0.1
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    error = timedelta(seconds=measured.within_s + 0.1)
    assert before - error <= now <= after + error


async def test_a_wrong_clock_is_said_to_be_wrong_and_one_that_is_right_is_not(connection: Client) -> None:
    with capture_logs() as logged:
        async with keeping_time(connection, Clock(own=wrong)), keeping_time(connection, Clock()):
            pass
    (entry,) = [entry for entry in logged if entry["event"] == "clock is wrong"]
    assert "s ahead of that of the event stream's server" in entry["detail"]


async def test_without_a_stream_the_own_clock_is_used(nats_url: str) -> None:
    connection, clock = await connect(nats_url, "test"), Clock(own=wrong)
    assert await measure(connection, clock) is None
    assert clock.now() > datetime.now(UTC)
    await connection.close()


def test_what_the_measurement_cannot_tell_is_not_corrected_and_not_told() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    for ahead_s, within_s, is_wrong in ((0.4, 0.0, False), (3.0, 2.6, False), (3.0, 0.4, True), (-3.0, 0.4, True)):
        measured = ClockOffset(at, 0.0, ahead_s, within_s)
        assert measured.certainly_wrong is is_wrong
        assert (warning(measured) is not None) is is_wrong
    assert warning(None) is None


@pytest.mark.usefixtures("wrong_here")
async def test_health_on_a_machine_whose_clock_is_wrong_records_the_time_of_the_server(nats_url: str) -> None:
    async with a_world(nats_url) as world, watched(world):
        await world.ready()
        await _right(world)


async def _right(world: World) -> None:
    history = await world.history()
    for recorded in history:
        assert abs((recorded.occurred_at - recorded.recorded_at).total_seconds()) < AHEAD_S / 2, recorded.type
    assert {recorded.origin.actor for recorded in history} >= {"health"}
