"""One client's connection: requests in, answers out, and every limit on the way."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, cast

from litestar.types import Scope

from services.api.http.front import leaving, pushing, recognition, refusals
from services.api.http.front.addresses import party
from services.api.http.front.exchange import Exchange
from services.api.http.front.parser import Ends, Parser
from services.api.http.problem import Problem

if TYPE_CHECKING:
    from services.api.http.front.front import Front

_NEVER: Final = float("inf")
_TURNED_AWAY_S: Final = 2.0
"""How long a client without a place is read from, so that it sees the answer."""
_TURNED_AWAY_AT_ONCE: Final = 32
"""How many such clients at once; each has a descriptor."""


class ConnectionPhase(Enum):
    """What the connection is waiting for.

    DEAF: for the application's answer, after which the connection ends. DISCARDING: for the client to leave.
    """

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWERING = auto()
    DEAF = auto()
    DISCARDING = auto()


_IDLE, _HEAD, _BODY, _ANSWERING, _DEAF, _DISCARDING = ConnectionPhase  # looking one up each time is slow


class ClientConnection(asyncio.Protocol):
    """A Guest of Places. Its deadline is checked once a second; it has no timer of its own."""

    def __init__(self, front: "Front") -> None:
        self._front = front
        self._limits = front.limits
        self._clock = front.clock
        self._phase: ConnectionPhase | None = None
        self._deadline = _NEVER
        self.known = False
        self.party = ""
        self.writable: asyncio.Event | None = None
        self._recognised = False
        self._exchange: Exchange | None = None
        self._latest: Exchange | None = None
        self._ahead: deque[Exchange] = deque()
        self._reading = True
        self._unsent = 0
        self._stalls_at = _NEVER

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        client = _address(transport, "peername")
        server = _address(transport, "sockname")
        self.party = party(client[0]) if client else ""
        extensions: dict[str, Callable[..., object]] = {
            recognition.EXTENSION: self._recognise,
            leaving.EXTENSION: self._watch,
            pushing.EXTENSION: self._push,
        }
        self._parser = Parser(self, self._limits, Ends(client, server, extensions))
        self._front.state.connections.add(cast("Any", self))  # uvicorn needs only `shutdown`
        if self._front.places.admit(self):
            self._enter(_IDLE, self._limits.head_s)
        else:
            self._say(refusals.FULL, _TURNED_AWAY_S)
            if len(self._front.state.connections) - len(self._front.places) > _TURNED_AWAY_AT_ONCE:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._front.state.connections.discard(cast("Any", self))
        self._front.places.left(self)
        for exchange in (self._exchange, *self._ahead):
            if exchange is not None:
                exchange.lose()
        self.resume_writing()
        self._parser.close()
        del self._parser  # breaks reference cycles, which would need garbage collection under a flood
        self._exchange = self._latest = None
        self._ahead.clear()

    def data_received(self, data: bytes) -> None:
        phase = self._phase
        if phase is _DEAF or phase is _DISCARDING:
            return
        problem = self._parser.feed(data)
        if problem is None:
            self._note_phase()
        else:
            self._refuse(problem)

    def pause_writing(self) -> None:
        self.writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self.writable is not None:
            self.writable.set()
            self.writable = None

    # Called by the parser

    def begins(self) -> bool:
        """Whether another request may be read."""
        self._phase = None  # what follows has its own time limit
        return len(self._ahead) < self._limits.pipelined

    def requested(
        self, scope: Scope, most_body: int, *, keep_alive: bool, awaits_continue: bool, forwarded: bool
    ) -> Exchange:
        app = self._front.app_behind_proxy if forwarded else self._front.app
        exchange = Exchange(self, scope, app, most_body, keep_alive=keep_alive, awaits_continue=awaits_continue)
        self._latest = exchange
        if self._exchange is None:
            self._begin(exchange)
        else:
            self._ahead.append(exchange)
        return exchange

    # Called by an exchange

    @property
    def date(self) -> bytes:
        return self._front.date

    def pause_reading(self) -> None:
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def answered(self, exchange: Exchange) -> None:
        self._front.state.total_requests += 1
        self._exchange = None
        if exchange is self._latest:
            self._latest = None
        if self.known and not self._recognised:
            self._front.places.estranged(self)
        if not exchange.keep_alive:
            self._part(whole=exchange.whole and self._phase is not _DEAF)
        elif self._ahead:
            self._begin(self._ahead.popleft())
        else:
            self.resume_reading()
            self._note_phase()

    def broken(self, exchange: Exchange, problem: Problem) -> None:
        """The application has ended without a complete answer."""
        if exchange.begun:
            exchange.flush()
            self._transport.close()
        else:
            self._say(problem)

    def _recognise(self) -> None:
        self._recognised = True
        if not self.known:
            self._front.places.recognised(self)

    def _watch(self, left: Callable[[], None]) -> None:
        """As `Leaving` says, for the request that is being answered."""
        if self._exchange is None:
            left()
        else:
            self._exchange.watch(left)
            self.resume_reading()

    def _push(self, body: bytes) -> bool:
        """As `Push` says, for the request that is being answered."""
        if self._exchange is not None:
            self._exchange.push(body)
        return self.writable is None

    # Phases and their ends

    def _begin(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._recognised = False
        self._front.run(exchange)

    def _note_phase(self) -> None:
        if self._parser.in_head:
            self._enter(_HEAD, self._limits.head_s)
        elif self._latest is not None and not (self._latest.whole or self._latest.over):
            self._enter(_BODY, self._limits.body_s)
        elif self._exchange is not None:
            self._enter(_ANSWERING, _NEVER)
        else:
            self._enter(_IDLE, self._limits.kept_alive_s)

    def _enter(self, phase: ConnectionPhase, seconds: float) -> None:
        """A phase has one deadline: sending a little now and then does not extend it."""
        if phase is self._phase:
            return
        self._phase = phase
        self._deadline = _NEVER if phase is _ANSWERING else self._clock() + seconds
        if not self.known:
            (self._front.places.busy if phase is _ANSWERING else self._front.places.waits)(self)

    def _refuse(self, problem: Problem) -> None:
        """The current request is wrong, too large or overdue. Complete earlier requests are still answered."""
        at_fault = None if self._parser.in_head or self._latest is None or self._latest.whole else self._latest
        if at_fault is not None and at_fault in self._ahead:
            self._ahead.remove(at_fault)
            at_fault.lose()
        elif at_fault is not None and at_fault is self._exchange and at_fault.begun:
            self._transport.abort()
            return
        elif self._exchange is None or at_fault is self._exchange:
            self._say(problem)
            return
        self._end_behind(self._exchange)
        self._phase, self._deadline = _DEAF, _NEVER
        self.resume_reading()

    def _say(self, problem: Problem, seconds: float | None = None) -> None:
        """Send our own answer, the last one on this connection."""
        if self._exchange is not None:
            self._exchange.lose()
            self._exchange = None
        if not self._transport.is_closing():
            self.write(refusals.answer(problem, self._parser.target, self.date, self._limits.meant))
            self._part(whole=False, seconds=seconds)

    def _part(self, *, whole: bool, seconds: float | None = None) -> None:
        """End after the last answer. The rest of a request is still read: a reset client would not see the answer."""
        if self._transport.is_closing():
            return
        if whole:
            self._transport.close()
            return
        self._transport.write_eof()
        self.resume_reading()
        self._enter(_DISCARDING, self._limits.discard_s if seconds is None else seconds)

    def look(self, now: float) -> None:
        """Check the deadline, about once a second."""
        unsent = self._transport.get_write_buffer_size()
        if unsent and self._unsent and unsent >= self._unsent:
            if now >= self._stalls_at:
                self._transport.abort()
                return
        else:
            self._stalls_at = now + self._limits.stall_s
        self._unsent = unsent
        if now >= self._deadline:
            self._overdue()

    def _overdue(self) -> None:
        if self._phase is _HEAD:
            self._refuse(refusals.HEAD_OVERDUE)
        elif self._phase is _BODY:
            self._refuse(refusals.BODY_OVERDUE)
        elif self._phase is _DISCARDING:
            self._transport.abort()
        else:
            self._transport.close()

    def evict(self) -> None:
        """Another client needs its place: send an answer that is due, and close without waiting."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
            return
        if self._phase in (_HEAD, _BODY) and not (self._exchange and self._exchange.begun):
            self._say(refusals.FULL)
        self._transport.close()

    def shutdown(self) -> None:
        """Called by uvicorn's server when it stops."""
        if self._exchange is None:
            self._transport.close()
        else:
            self._end_behind(self._exchange)

    def _end_behind(self, running: Exchange | None) -> None:
        last = self._ahead[-1] if self._ahead else running
        if last is not None:
            last.keep_alive = False


def _address(transport: asyncio.BaseTransport, which: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(which)
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
