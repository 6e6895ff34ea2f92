"""Connects a durable consumer to a function: decode, hold, call, acknowledge."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar
from uuid import UUID

import structlog
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, NatsMessage, PullSub
from faststream.nats.subscriber.usecases import LogicSubscriber
from nats.aio.msg import Msg
from nats.errors import MsgAlreadyAckdError
from prometheus_client import Counter
from structlog.contextvars import bound_contextvars

from shared.bus.connection import INBOX
from shared.bus.dead_letters import DeadLetters, sequence_of
from shared.bus.held import Held
from shared.bus.lease import Lease, LeaseLost, Leases
from shared.bus.topology import REPLAYS, Trigger, replay_subject
from shared.journal.envelope import Undecodable, WrittenByNewer
from shared.journal.errors import OnlyForNewer
from shared.journal.recorded import RecordedOf
from shared.journal.streams import LIFECYCLE
from shared.retry import doubled_s

FETCH_TIMEOUT_S: Final = 5.0
"""A reconnect loses the request that waits at the server; only the next request brings messages again."""
_FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""Short, because hand-overs count as deliveries too: a watch that moved often must not pause for long."""

FOR_NEWER_S: Final = 15.0
"""How soon a message comes again that is left to a newer version."""

_PARTS_OF_TRACEPARENT: Final = 4

log = structlog.get_logger()
_for_newer: Final = Counter(
    "coldstart_left_to_newer_total", "Deliveries that are left to services of a newer version", ["consumer"]
)

_KnownT = TypeVar("_KnownT", bound=RecordedOf[Any, Any])
Handle: TypeAlias = Callable[[_KnownT, Lease], Awaitable[None]]
"""Does what the event asks for. Safe when called twice, or by two at the same time."""
OnUnreadable: TypeAlias = Callable[[UUID, str], Awaitable[None]]
"""Records that an instance's trigger cannot be read, before it goes to the dead letters."""


async def stop_asking(broker: NatsBroker) -> None:
    """Stop further messages to this process. Call it before its leases are returned.

    Otherwise a pull request that still waits at the server would bring the returned messages back to this process.
    """
    for asking in broker.subscribers:
        asking.running = False
        if isinstance(asking, LogicSubscriber) and asking.subscription is not None:
            await asking.subscription.unsubscribe()
            asking.subscription = None


@dataclass(frozen=True)
class _Attaching:
    broker: NatsBroker
    max_held: int
    inbox: str


@dataclass(frozen=True)
class Subscriber(Generic[_KnownT]):
    """Acknowledges a message when `handle` has returned, and has it redelivered later if it raised; replays too.

    It leaves a message alone whose lease was lost, and returns one that only a newer version understands. A message
    that cannot be decoded goes to the dead letters.
    """

    trigger: Trigger[_KnownT]
    leases: Leases
    dead_letters: DeadLetters
    handle: Handle[_KnownT]
    on_unreadable: OnUnreadable
    held: Held

    def attach(self, broker: NatsBroker, *, max_held: int, inbox: str = INBOX) -> None:
        """Subscribe to the durable consumers that the topology declared, with answers at `inbox`."""
        trigger = self.trigger
        options = _Attaching(broker, max_held, inbox)
        self._attach(LIFECYCLE, trigger.subjects[0], trigger.durable, options)
        self._attach(REPLAYS, replay_subject(trigger.durable), trigger.replays, options)

    def _attach(self, stream: str, subject: str, durable: str, options: _Attaching) -> None:
        broker = options.broker

        @broker.subscriber(
            subject,
            durable=durable,
            stream=JStream(stream, declare=False),
            pull_sub=PullSub(batch_size=1, timeout=FETCH_TIMEOUT_S),
            ack_policy=AckPolicy.MANUAL,
            max_workers=options.max_held,
            title=durable,
            inbox_prefix=f"{options.inbox}.".encode(),
        )
        async def delivered(_: bytes) -> None:
            message: NatsMessage = broker.context.get_local("message")
            raw = message.raw_message
            if isinstance(raw, Msg):
                await self.deliver(raw)

    async def deliver(self, message: Msg) -> None:
        metadata = message.metadata
        try:
            recorded = self.trigger.kind.decode(message.data, sequence_of(message), metadata.timestamp)
        except WrittenByNewer as error:
            await self._leave_to_newer(message, error)
            return
        except Undecodable as error:
            await self._bury(message, str(error))
            return
        with bound_contextvars(**_identity(self.trigger, recorded)):
            await self._held(message, recorded)

    async def _held(self, message: Msg, recorded: _KnownT) -> None:
        metadata = message.metadata
        try:
            async with self.leases.held(message, redelivered=metadata.num_delivered > 1) as lease:
                with self.held.holding(recorded.after.id):
                    await self.handle(recorded, lease)
                if not lease.lost:
                    await message.ack()
        except LeaseLost:
            log.info("lease lost", consumer=self.trigger.durable, subject=message.subject)
        except OnlyForNewer as error:
            await self._leave_to_newer(message, error)
        except Exception:  # the loop's bound: whatever went wrong, the message is redelivered, not dropped
            pause = doubled_s(metadata.num_delivered, _FIRST_PAUSE_S, LONGEST_PAUSE_S)
            log.exception("handling failed", consumer=self.trigger.durable, subject=message.subject, retry_in_s=pause)
            with suppress(MsgAlreadyAckdError):  # returned already, by a process that is stopping
                await message.nak(delay=pause)

    async def _leave_to_newer(self, message: Msg, reason: Exception) -> None:
        _for_newer.labels(self.trigger.durable).inc()
        log.warning(
            "left to a newer version", consumer=self.trigger.durable, subject=message.subject, reason=str(reason)
        )
        with suppress(MsgAlreadyAckdError):
            await message.nak(delay=FOR_NEWER_S)

    async def _bury(self, message: Msg, reason: str) -> None:
        try:
            instance_id = UUID(message.subject.split(".")[1])
        except (ValueError, IndexError):
            pass
        else:
            if self.trigger.fails:
                await self.on_unreadable(instance_id, reason)
        await self.dead_letters.put(message, self.trigger.durable, reason)
        await message.ack()


def _identity(trigger: Trigger[Any], recorded: RecordedOf[Any, Any]) -> Mapping[str, str]:
    """What every line says that is logged while the message is held: of which instance or deployment, and its trace.

    The trace is the one that the request named which the event came of (W3C Trace Context).
    """
    found = {f"{trigger.kind.name}_id": str(recorded.after.id)}
    trace = (recorded.origin.traceparent or "").split("-")
    return {**found, "trace_id": trace[1]} if len(trace) >= _PARTS_OF_TRACEPARENT else found
