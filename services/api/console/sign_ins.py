"""Tells the audit log who signed in to the console, and whose key or link was refused."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import structlog
from litestar import Request

from services.api.access.api_keys import ApiKey
from services.api.access.authentication import Authentication
from services.api.access.errors import TooManyWrongKeys
from services.api.audit.entries import AuditActor, EntryType, NewEntry, Subject
from services.api.audit.repository import AuditRepository
from services.api.http.front.addresses import Remembered, party
from shared.actor import Actor
from shared.clock import seconds
from shared.postgres.connection import DATABASE_ERRORS

CONSOLE: Final = Subject(kind="console", id="console", name="the console")
_EACH_MINUTE: Final = 20
"""The most refusals that are told, so that a flood of addresses does not fill the database."""
_MINUTE_S: Final = 60.0
_REMEMBERED: Final = 10_000

By: TypeAlias = Literal["key", "link"]
log = structlog.get_logger()


class SignIns:
    """What cannot be told because the database is away is logged: nobody is locked out for that.

    Neither a key nor a link is told, nor any part of one. `clock` returns seconds.
    """

    def __init__(
        self, audit: AuditRepository, authentication: Authentication, clock: Callable[[], float] = seconds
    ) -> None:
        self._audit = audit
        self._authentication = authentication
        self._clock = clock
        self._limited = Remembered(_REMEMBERED)
        self._minute, self._told = 0, 0

    async def succeeded(self, request: Request[Any, Any, Any], owner: ApiKey, by: By) -> None:
        actor = Actor(kind="session", id=owner.id, name=owner.name)
        await self._tell(EntryType.SIGNED_IN, actor, by, request, owner)

    async def refused(self, request: Request[Any, Any, Any], by: By, reason: str) -> None:
        if self._room():
            await self._tell(EntryType.SIGN_IN_REFUSED, _stranger(request), by, request, reason=reason)

    async def wrong(self, request: Request[Any, Any, Any], by: By, reason: str) -> None:
        """As `refused`, but only once it is this address's turn. Raises TooManyWrongKeys."""
        try:
            await self._authentication.wrong_keys.came(request.scope)
        except TooManyWrongKeys:
            who, now = _address(request), self._clock()
            if not self._limited.until(who, now) and self._room():
                self._limited.remember(who, now + _MINUTE_S)
                await self._tell(EntryType.SIGN_INS_LIMITED, _stranger(request), by, request)
            raise
        await self.refused(request, by, reason)

    def _room(self) -> bool:
        """Whether another refusal may be told in this minute."""
        minute = int(self._clock() // _MINUTE_S)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        self._told += 1
        if self._told == _EACH_MINUTE + 1:
            log.warning("refused sign-ins are not told for the rest of the minute")
        return self._told <= _EACH_MINUTE

    async def _tell(
        self,
        kind: EntryType,
        actor: Actor | AuditActor,
        by: By,
        request: Request[Any, Any, Any],
        owner: ApiKey | None = None,
        **details: str,
    ) -> None:
        organization_id = owner.organization_id if owner else None
        told = {"by": by, "address": _address(request), **details}
        try:
            await self._audit.add(NewEntry(kind, actor, CONSOLE, organization_id, told))
        except DATABASE_ERRORS as error:
            log.warning("sign-in not told", type=kind, actor=actor.name, reason=repr(error))


def _stranger(request: Request[Any, Any, Any]) -> AuditActor:
    return AuditActor(kind="stranger", name=_address(request))


def _address(request: Request[Any, Any, Any]) -> str:
    """Of IPv6 the /64, by which wrong keys are counted, too."""
    return party(str((request.scope.get("client") or ("unknown",))[0]))
