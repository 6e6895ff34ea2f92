"""Sends what is due: to each webhook one message at a time, and to many webhooks at once.

Whoever sends to a webhook has claimed it in the database. A process that is killed leaves its claims to run out, and
what it had sent without noting it is sent again.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NoReturn, assert_never

import structlog
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from services.webhooks.bodies import STREAM_ERRORS, EventGone, body_of
from services.webhooks.deliveries import Deliveries, Due, SendingClaim, SwitchedOff
from services.webhooks.schedule import next_try_at, not_before
from services.webhooks.sender import Delivered, Gone, NotDelivered, Outcome, Sender
from services.webhooks.settings import WebhooksSettings
from shared.clock import CLOCK
from shared.postgres.connection import DATABASE_ERRORS
from shared.secrets import Secrets
from shared.webhooks import signed_headers

_PAUSE_S: Final = 0.5
_LEAST_PAUSE_S: Final = 0.01
"""Between two looks: what is due may be what a claim of somebody else is about to send."""

_tries: Final = Counter("coldstart_webhooks_tries_total", "Messages sent to webhooks", ["outcome"])
_given_up: Final = Counter("coldstart_webhooks_given_up_total", "Messages that were given up after their last try")
_switched_off: Final = Counter("coldstart_webhooks_switched_off_total", "Webhooks switched off", ["why"])
_seconds: Final = Histogram(
    "coldstart_webhooks_try_seconds",
    "How long a try takes",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0),
)

log = structlog.get_logger()


def utc_now() -> datetime:
    return CLOCK.now()


@dataclass
class Dispatcher:
    """`wake` makes it look at once. `now` and `random` may be a test's."""

    connection: Client
    deliveries: Deliveries
    sender: Sender
    secrets: Secrets
    settings: WebhooksSettings
    now: Callable[[], datetime] = utc_now
    random: Callable[[], float] = random.random
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _at_work: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _stopping: bool = field(default=False, init=False)

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> NoReturn:
        """The owner cancels it, after `stop`."""
        while True:
            self._woken.clear()
            try:
                room = self.settings.webhooks_at_once - len(self._at_work)
                claims = await self.deliveries.claim(self.now(), room) if room > 0 and not self._stopping else []
                for claim in claims:
                    self._begin(claim)
                pause_s = (
                    await self._pause_s()
                    if room > len(claims) and not self._stopping
                    else self.settings.webhooks_look_seconds
                )
            except DATABASE_ERRORS as error:
                log.warning("due messages not looked for", reason=repr(error))
                pause_s = _PAUSE_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Begin nothing more, and let what is being sent finish within the grace; then break it off."""
        self._stopping = True
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=self.settings.stop_grace_seconds)
        for task in self._at_work:
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    async def _pause_s(self) -> float:
        soonest = await self.deliveries.soonest_due()
        longest_s = self.settings.webhooks_look_seconds
        if soonest is None:
            return longest_s
        return min(longest_s, max(_LEAST_PAUSE_S, (soonest - self.now()).total_seconds()))

    def _begin(self, claim: SendingClaim) -> None:
        task = asyncio.create_task(self._send_all(claim))
        self._at_work.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        self.wake()

    async def _send_all(self, claim: SendingClaim) -> None:
        """Send what is due to this webhook until nothing is; an outage leaves the rest for later."""
        try:
            while not self._stopping and (due := await self.deliveries.next_due(claim, self.now())):
                await self._send(due)
            await self.deliveries.release(claim)
        except (*DATABASE_ERRORS, *STREAM_ERRORS) as error:  # the claim runs out, and somebody claims it anew
            log.warning("sending to a webhook interrupted", webhook_id=str(claim.webhook_id), reason=repr(error))

    async def _send(self, due: Due) -> None:
        try:
            body = await body_of(self.connection, due)
        except EventGone:
            await self.deliveries.note_lost(due, "the stream does not have the event any more", self.now())
            return
        headers = signed_headers(due.message_id, self.now(), body, self._keys(due))
        with _seconds.time():
            outcome = await self.sender.send(due.url, headers, body)
        _tries.labels(type(outcome).__name__.lower()).inc()
        await self._note(due, outcome)

    def _keys(self, due: Due) -> list[bytes]:
        """The newest first; the one before it, as long as it counts."""
        keys = [self.secrets.webhook_key(due.webhook_id, due.secret_number)]
        if due.former_secret_until and due.former_secret_until > self.now():
            keys.append(self.secrets.webhook_key(due.webhook_id, due.secret_number - 1))
        return keys

    async def _note(self, due: Due, outcome: Outcome) -> None:
        now, off = self.now(), None
        if due.kind == "test":
            await self.deliveries.note_test(due, outcome, now)
            return
        match outcome:
            case Delivered():
                await self.deliveries.note_delivered(due, outcome, now)
            case Gone():
                off = await self.deliveries.note_gone(due, outcome, now)
            case NotDelivered():
                off = await self._note_failed(due, outcome, now)
            case _:
                assert_never(outcome)
        if off is not None:
            _tell(off)

    async def _note_failed(self, due: Due, outcome: NotDelivered, now: datetime) -> SwitchedOff | None:
        again = next_try_at(
            due.tries + 1,
            now,
            self.settings.webhooks_retry_seconds,
            retry_after_s=outcome.retry_after_s,
            spread=self.random(),
        )
        if again is None:
            _given_up.inc()
        log.info(
            "webhook not delivered",
            webhook_id=str(due.webhook_id),
            message_id=due.message_id,
            reason=outcome.reason,
            next_try_at=again.isoformat() if again else None,
        )
        alone_until = not_before(
            due.failures + 1,
            now,
            first_s=self.settings.webhooks_pause_seconds,
            longest_s=self.settings.webhooks_longest_pause_seconds,
            retry_after_s=outcome.retry_after_s,
        )
        return await self.deliveries.note_failed(due, outcome, now, next_try_at=again, not_before=alone_until)


def _tell(off: SwitchedOff) -> None:
    _switched_off.labels(off.why).inc()
    log.error("webhook switched off", webhook_id=str(off.webhook_id), url=off.url, why=off.why)
