"""How many connections are allowed, for whom, and which one is closed when there is no place left."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from prometheus_client import Gauge

from services.api.http.front.addresses import Remembered

_KEPT_FOR_KNOWN: Final = 4
"""A quarter of all places."""
_REMEMBERED: Final = 10_000
_KNOWN_FOR_S: Final = 3_600.0
_LOG_EVERY_S: Final = 60.0

open_: Final = Gauge("coldstart_http_connections", "Connections of clients")

log = structlog.get_logger()


class Guest(Protocol):
    """`party`: the address it comes from. `known`: its last request had a valid key."""

    party: str
    known: bool

    def evict(self) -> None:
        """Close it now, with an answer if one is due."""


class Places:
    """Strangers never get the last quarter of the places.

    If there is no place left for a new client, the stranger is closed that has been idle for longest.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._for_strangers = most - most // _KEPT_FOR_KNOWN
        self._clock = clock
        self._parties = Remembered(_REMEMBERED)
        self._guests: dict[Guest, bool] = {}
        """Maps each guest to whether it counts as a stranger."""
        self._strangers = 0
        self._waiting: tuple[dict[Guest, None], dict[Guest, None]] = ({}, {})
        """Idle guests, the longest first: strangers, and others that have not shown a key."""
        self._turned_away = 0
        self._logged_at = -_LOG_EVERY_S
        open_.set_function(lambda: len(self._guests))

    def __len__(self) -> int:
        return len(self._guests)

    def admit(self, guest: Guest) -> bool:
        """Whether it gets a place; another guest may be closed for it."""
        stranger = self._is_stranger(guest)
        full = len(self._guests) >= self._most or (stranger and self._strangers >= self._for_strangers)
        if full and not self._make_room(for_stranger=stranger):
            self._note()
            return False
        self._count(guest, stranger)
        self._waiting[not stranger][guest] = None
        return True

    def left(self, guest: Guest) -> None:
        stranger = self._guests.pop(guest, None)
        if stranger is None:
            return
        self._strangers -= stranger
        self._forget_waiting(guest)
        if guest.known:
            self._parties.remember(guest.party, self._clock() + _KNOWN_FOR_S)

    def busy(self, guest: Guest) -> None:
        """Its request is complete, so it is not idle. Known guests are not tracked."""
        self._forget_waiting(guest)

    def waits(self, guest: Guest) -> None:
        """It is idle. Call this for guests that are not known."""
        if guest in self._guests:
            self._waiting[not self._guests[guest]][guest] = None

    def recognised(self, guest: Guest) -> None:
        guest.known = True
        self._parties.remember(guest.party, self._clock() + _KNOWN_FOR_S)
        if guest in self._guests:
            self._forget_waiting(guest)
            self._count(guest, stranger=False)

    def estranged(self, guest: Guest) -> None:
        """Its last request had no valid key."""
        guest.known = False
        if guest in self._guests:
            self._count(guest, self._is_stranger(guest))

    def _is_stranger(self, guest: Guest) -> bool:
        return not (guest.known or self._parties.until(guest.party, self._clock()))

    def _count(self, guest: Guest, stranger: bool) -> None:
        self._strangers += stranger - self._guests.get(guest, False)
        self._guests[guest] = stranger

    def _make_room(self, *, for_stranger: bool) -> bool:
        """Strangers are closed first. For a stranger, only strangers are closed."""
        strangers, others = self._waiting
        waiting = strangers or ({} if for_stranger else others)
        guest = next(iter(waiting), None)
        if guest is None:
            return False
        self.left(guest)
        guest.evict()
        self._note()
        return True

    def _forget_waiting(self, guest: Guest) -> None:
        for waiting in self._waiting:
            waiting.pop(guest, None)

    def _note(self) -> None:
        self._turned_away += 1
        now = self._clock()
        if now - self._logged_at >= _LOG_EVERY_S:
            log.warning("no place left for connections", most=self._most, turned_away=self._turned_away)
            self._logged_at, self._turned_away = now, 0
