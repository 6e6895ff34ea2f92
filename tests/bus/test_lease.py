"""A lease is kept while it is held, given back at once, and never acted on when nobody confirms it."""

import asyncio
from dataclasses import dataclass, field

import pytest
from nats.errors import ConnectionClosedError, MsgAlreadyAckdError

from shared.bus.lease import LeaseLost, Leases

ACK_WAIT = 0.4


@dataclass
class Message:
    extended: asyncio.Event = field(default_factory=asyncio.Event)
    extensions: int = 0
    given_back: bool = False

    async def in_progress(self) -> None:
        self.extensions += 1
        if self.extensions > 1:
            self.extended.set()

    async def nak(self, delay: float | None = None) -> None:
        assert delay is None
        self.given_back = True


@dataclass
class Server:
    reachable: bool = True

    async def flush(self) -> None:
        if not self.reachable:
            raise ConnectionClosedError


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_held_message_is_extended_until_it_is_let_go() -> None:
    message = Message()
    leases = Leases(Server().flush, ACK_WAIT, clock=Clock())
    keeping = asyncio.create_task(leases.keep_alive())
    async with leases.held(message, redelivered=False):
        await message.extended.wait()
    held = message.extensions
    await asyncio.sleep(ACK_WAIT / 2)
    assert message.extensions == held
    assert len(leases) == 0
    keeping.cancel()


async def test_a_lease_nobody_confirmed_for_two_thirds_of_the_ack_wait_is_lost() -> None:
    clock = Clock()
    leases = Leases(Server().flush, ack_wait_s=30, clock=clock)
    async with leases.held(Message(), redelivered=False) as lease:
        clock.now += 19.9
        lease.check()
        clock.now += 0.2
        with pytest.raises(LeaseLost):
            lease.check()


async def test_a_lease_that_the_server_does_not_confirm_is_not_begun() -> None:
    with pytest.raises(LeaseLost):
        async with Leases(Server(reachable=False).flush, ACK_WAIT).held(Message(), redelivered=False):
            pytest.fail("the block began")


async def test_a_lost_lease_is_not_extended_any_more() -> None:
    clock, server, message = Clock(), Server(), Message()
    leases = Leases(server.flush, ACK_WAIT, clock=clock)
    async with leases.held(message, redelivered=False) as lease:
        clock.now += ACK_WAIT
        assert lease.lost
        keeping = asyncio.create_task(leases.keep_alive())
        await asyncio.sleep(ACK_WAIT)
        assert message.extensions == 1
        keeping.cancel()


async def test_closing_gives_every_lease_back_at_once_and_wakes_its_holder() -> None:
    messages = [Message() for _ in range(10)]
    leases = Leases(Server().flush, ack_wait_s=30)
    holding = asyncio.Event()

    async def hold(message: Message) -> None:
        async with leases.held(message, redelivered=False) as lease:
            if len(leases) == len(messages):
                holding.set()
            await lease.sleep(3600)

    holders = [asyncio.create_task(hold(message)) for message in messages]
    await holding.wait()
    await leases.close(grace_s=5)
    ends = await asyncio.gather(*holders, return_exceptions=True)
    assert all(isinstance(end, LeaseLost) for end in ends)
    assert all(message.given_back for message in messages)


async def test_what_arrives_while_closing_is_given_back() -> None:
    message = Message()
    leases = Leases(Server().flush, ACK_WAIT)
    await leases.close(grace_s=1)
    with pytest.raises(LeaseLost):
        async with leases.held(message, redelivered=False):
            pytest.fail("the block began")
    assert message.given_back


async def test_what_is_being_taken_when_closing_begins_is_given_back() -> None:
    message, leases = Message(), Leases(Server().flush, ACK_WAIT)

    async def closing_meanwhile() -> None:
        await leases.close(grace_s=1)

    leases._flush = closing_meanwhile
    with pytest.raises(LeaseLost):
        async with leases.held(message, redelivered=False):
            pytest.fail("the block began")
    assert message.given_back


async def test_sleeping_within_a_lease_ends_when_the_time_is_over() -> None:
    async with Leases(Server().flush, ACK_WAIT, clock=Clock()).held(Message(), redelivered=False) as lease:
        await lease.sleep(0.01)
        lease.check()


async def test_a_lease_that_cannot_be_given_back_keeps_no_other_from_it() -> None:
    @dataclass
    class Acknowledged(Message):
        async def nak(self, delay: float | None = None) -> None:  # noqa: ARG002
            raise MsgAlreadyAckdError

    last = Message()
    leases = Leases(Server().flush, ack_wait_s=30)
    async with leases.held(Acknowledged(), redelivered=False), leases.held(last, redelivered=False):
        await leases.close(grace_s=0.01)
    assert last.given_back
