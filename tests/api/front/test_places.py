"""Unknown clients cannot take all places, and the one that has waited longest is dropped first."""

import asyncio
import resource

from litestar.types import Receive, Scope, Send
from structlog.testing import capture_logs

from services.api.http.front.addresses import Remembered, party
from services.api.http.front.limits import ClientLimits, most_connections
from services.api.http.front.places import Places
from tests.api.front.line import a_line, answer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
WITH_KEY = GET + b"Authorization: Bearer valid\r\n\r\n"


class Guest:
    def __init__(self, party: str = "") -> None:
        self.party = party
        self.known = False
        self.evicted = False

    def evict(self) -> None:
        self.evicted = True


def places(most: int = 8) -> Places:
    return Places(most, lambda: 1.0)


def test_the_stranger_that_waited_longest_gives_its_place_to_the_next() -> None:
    here = places()
    guests = [Guest(f"10.0.0.{number}") for number in range(7)]
    assert all(here.admit(guest) for guest in guests)
    assert [guest.evicted for guest in guests] == [True] + [False] * 6, "two of eight places are for others"
    assert len(here) == 6


def test_who_is_being_answered_keeps_its_place() -> None:
    here = places()
    guests = [Guest(str(number)) for number in range(6)]
    for guest in guests:
        here.admit(guest)
        here.busy(guest)
    late = Guest("late")
    assert not here.admit(late)
    here.waits(guests[3])
    assert here.admit(late)
    assert guests[3].evicted


def test_who_has_shown_a_key_never_goes_and_its_neighbours_find_a_place() -> None:
    here = places()
    known = Guest("10.0.0.1")
    here.admit(known)
    here.recognised(known)
    for number in range(100):
        here.admit(Guest(f"10.1.0.{number}"))
    neighbours = [Guest("10.0.0.1") for _ in range(3)]
    assert all(here.admit(neighbour) for neighbour in neighbours)
    assert len(here) == 8
    assert not known.evicted
    assert not any(neighbour.evicted for neighbour in neighbours)


def test_a_crowd_from_one_address_that_is_known_leaves_room_for_others_from_there() -> None:
    here = places()
    first = Guest("proxy")
    here.admit(first)
    here.recognised(first)
    crowd = [Guest("proxy") for _ in range(50)]
    assert all(here.admit(guest) for guest in crowd)
    assert not first.evicted
    assert [guest.evicted for guest in crowd[-7:]] == [False] * 7


def test_it_is_logged_once_in_a_while() -> None:
    here = places()
    with capture_logs() as logs:
        for number in range(100):
            here.admit(Guest(str(number)))
    assert [entry["event"] for entry in logs] == ["no place left for connections"]


def test_ipv6_counts_by_its_64_first_bits() -> None:
    assert party("2001:db8:1:2:3::4") == party("2001:db8:1:2::9") != party("2001:db8:1:3::9")
    assert party("::ffff:192.0.2.1") == party("192.0.2.1") == "192.0.2.1"
    assert party("fe80::1%eth0") == "fe80::/64"
    assert party("not an address") == "not an address"


def test_only_so_many_parties_are_remembered_and_each_for_its_time() -> None:
    remembered = Remembered(3)
    for number in range(100):
        remembered.remember(str(number), until=10.0)
    assert len(remembered) == 3
    assert remembered.until("99", now=9.0) == 10.0
    assert not remembered.until("99", now=10.0)
    assert not remembered.until("1", now=9.0)


async def test_of_those_for_whom_there_is_no_place_few_are_listened_to_and_all_are_told() -> None:
    asked, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def waits(_: Scope, __: Receive, send: Send) -> None:
        asked.release()
        await go_on.wait()
        await answer(send, 200, b"ok")

    async with a_line(ClientLimits(connections=4), waits) as line:
        clients = [await line.client(GET + b"\r\n") for _ in range(3)]
        for _ in clients:
            await asked.acquire()
        clients += [await line.client() for _ in range(100)]
        for client in clients[-50:]:
            assert (await client.rest()).startswith(b"HTTP/1.1 503 ")
        assert len(line.front.state.connections) < 40, "the others have not left by themselves"
        go_on.set()
        for client in clients:
            client.writer.close()


def test_there_are_never_more_places_than_descriptors_for_them() -> None:
    assert most_connections(10_000, 1_024) == 384
    assert most_connections(10_000, 1_048_576) == 10_000
    assert most_connections(10_000, resource.RLIM_INFINITY) == 10_000


async def test_idle_strangers_shut_nobody_out() -> None:
    async with a_line(ClientLimits(connections=16)) as line:
        known = await line.client(WITH_KEY)
        assert (await known.answer()).endswith(b"ok")
        idle = [await line.client() for _ in range(40)]
        late = await line.client(GET + b"\r\n")
        assert (await late.answer()).endswith(b"ok"), "a stranger who asks"
        await known.say(WITH_KEY)
        assert (await known.answer()).endswith(b"ok")
        assert len(line.front.places) <= 16
        assert await idle[0].rest() == b"", "its place was needed"
        for client in (known, late, *idle):
            client.writer.close()


async def test_who_finds_no_place_is_told_so() -> None:
    limits = ClientLimits(connections=4)
    async with a_line(limits) as line:
        half = [await line.client(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n") for _ in range(3)]
        while len(line.app.asked) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        late = await line.client(GET + b"\r\n")
        assert (await half[0].rest()).startswith(b"HTTP/1.1 503 "), "it owed us the most for the longest time"
        assert (await late.answer()).endswith(b"ok")
        for client in (late, *half):
            client.writer.close()
