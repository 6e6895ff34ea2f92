"""What is due and what came of it, in the tables."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.webhooks.sender import Delivered, Gone, NotDelivered, Outcome
from services.webhooks.settings import WebhooksSettings
from services.webhooks.statements import sql
from services.webhooks.subscriptions import WebhookFilter
from shared.postgres.connection import Pool, PooledConnection
from shared.webhooks import CHANNEL, SWITCHED_OFF_TYPE, own_message


@dataclass(frozen=True)
class SendingClaim:
    """The right to send to this webhook, for a while."""

    webhook_id: UUID
    by: UUID


@dataclass(frozen=True)
class Due:
    """A message to send now. `sequence`: where its event is in the stream; otherwise `message` is all of it."""

    id: UUID
    webhook_id: UUID
    kind: str
    message_id: str
    type: str
    sequence: int | None
    message: dict[str, Any] | None
    tries: int
    url: str
    secret_number: int
    former_secret_until: datetime | None
    failures: int


@dataclass(frozen=True)
class SwitchedOff:
    """`why`: `failing` or `gone`."""

    webhook_id: UUID
    url: str
    why: str


class Deliveries:
    def __init__(self, pool: Pool, settings: WebhooksSettings) -> None:
        self._pool = pool
        self._settings = settings

    async def claim(self, now: datetime, most: int) -> list[SendingClaim]:
        """SendingClaim webhooks that have something due, and that nobody else sends to."""
        rows = await self._pool.fetch(sql("claim_webhooks"), now, self._until(now), most)
        return [SendingClaim(row["id"], row["claimed_by"]) for row in rows]

    async def next_due(self, claim: SendingClaim, now: datetime) -> Due | None:
        """Renews the claim; None if it is lost, or nothing is due."""
        row = await self._pool.fetchrow(sql("next_delivery"), claim.webhook_id, claim.by, now, self._until(now))
        return Due(webhook_id=claim.webhook_id, **dict(row)) if row else None

    async def release(self, claim: SendingClaim) -> None:
        await self._pool.execute(sql("release_claim"), claim.webhook_id, claim.by)

    async def soonest_due(self) -> datetime | None:
        """When something becomes due that nobody is sending."""
        found: datetime | None = await self._pool.fetchval(sql("soonest_due"))
        return found

    async def note_test(self, due: Due, outcome: Outcome, now: datetime) -> None:
        """A test is tried once, and says nothing about its webhook."""
        if isinstance(outcome, NotDelivered):
            await self._pool.execute(sql("note_failed_try"), due.id, now, outcome.status, outcome.reason, None)
        elif isinstance(outcome, Gone):
            await self._pool.execute(sql("note_failed_try"), due.id, now, outcome.status, "it answered 410", None)
        else:
            await self._pool.execute(sql("note_delivered"), due.id, now, outcome.status)

    async def note_delivered(self, due: Due, outcome: Delivered, now: datetime) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("note_delivered"), due.id, now, outcome.status)
            await connection.execute(sql("note_success"), due.webhook_id)

    async def note_lost(self, due: Due, reason: str, now: datetime) -> None:
        """The message cannot be sent any more, which is not the receiver's fault."""
        await self._pool.execute(sql("note_failed_try"), due.id, now, None, reason, None)

    async def note_failed(
        self, due: Due, outcome: NotDelivered, now: datetime, *, next_try_at: datetime | None, not_before: datetime
    ) -> SwitchedOff | None:
        """Returns what this has switched off, if it has failed for too long."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("note_failed_try"), due.id, now, outcome.status, outcome.reason, next_try_at)
            since = await connection.fetchval(sql("note_failure"), due.webhook_id, now, not_before)
            longest = timedelta(seconds=self._settings.webhooks_switch_off_seconds)
            if since is None or now - since < longest:
                return None
            return await _switch_off(connection, due.webhook_id, "failing", now)

    async def note_gone(self, due: Due, outcome: Gone, now: datetime) -> SwitchedOff | None:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(sql("note_failed_try"), due.id, now, outcome.status, "it answered 410", None)
            return await _switch_off(connection, due.webhook_id, "gone", now)

    async def delete_old(self, now: datetime) -> None:
        before = now - timedelta(days=self._settings.webhooks_history_days)
        await self._pool.execute(sql("delete_old_deliveries"), before)

    async def numbers(self) -> dict[str, int]:
        """How many messages wait, and how many webhooks are failing or were switched off for it."""
        row = await self._pool.fetchrow(sql("numbers"))
        return dict(row) if row else {}

    def _until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._settings.webhooks_timeout_seconds + self._settings.webhooks_claim_seconds)


async def _switch_off(connection: PooledConnection, webhook_id: UUID, why: str, now: datetime) -> SwitchedOff | None:
    """None if it was switched off before. Other webhooks of its owner, and the installation's, are told."""
    row = await connection.fetchrow(sql("switch_off"), webhook_id, why, now)
    if row is None:
        return None
    await connection.execute(sql("give_up_waiting"), webhook_id, now)
    message_id = str(uuid5(webhook_id, f"switched off at {now.isoformat()}"))
    organization_id = row["organization_id"]
    data = {
        "webhook": {
            "id": str(webhook_id),
            "url": row["url"],
            "organization_id": str(organization_id) if organization_id else None,
        },
        "reason": why,
        "failing_since": row["failing_since"].isoformat() if row["failing_since"] else None,
    }
    notice = own_message(message_id, SWITCHED_OFF_TYPE, str(webhook_id), now, data)
    for other in map(WebhookFilter.of, await connection.fetch(sql("enabled_webhooks"))):
        if other.wants_type(SWITCHED_OFF_TYPE) and other.may_know(organization_id):
            delivery_id = uuid5(other.id, message_id)
            await connection.execute(
                sql("queue_notice"), delivery_id, other.id, message_id, SWITCHED_OFF_TYPE, notice, now
            )
    await connection.execute(sql("notify"), CHANNEL)
    return SwitchedOff(webhook_id, row["url"], why)
