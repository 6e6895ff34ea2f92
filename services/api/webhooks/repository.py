"""Webhooks in the database; the webhooks service reads them there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg

from services.api.audit.entries import EntryType, NewEntry, Subject, note
from services.api.webhooks.webhooks import Delivery, Webhook
from shared.actor import Actor
from shared.postgres.connection import Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import only, statement
from shared.webhooks import CHANNEL, TEST_TYPE, own_message

_TOLD: Final = ("description", "events", "models")
"""The fields that entries of the audit log tell."""


class OwnerGone(Exception):
    """The organisation was deleted meanwhile."""


class WebhookRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all(self, organization_id: UUID | None) -> list[Webhook]:
        """An organisation's, or for None everybody's; newest first."""
        return [Webhook.of(row) for row in await self._pool.fetch(_sql("all_webhooks"), organization_id)]

    async def find(self, webhook_id: UUID) -> Webhook | None:
        row = await self._pool.fetchrow(_sql("webhook"), webhook_id)
        return Webhook.of(row) if row else None

    async def count(self, organization_id: UUID | None) -> int:
        """Those that are exactly this organisation's, or the installation's."""
        return int(await self._pool.fetchval(_sql("count_webhooks"), organization_id))

    async def add(
        self, organization_id: UUID | None, fields: Mapping[str, Any], after_sequence: int, *, by: Actor
    ) -> Webhook:
        """It gets the events after this sequence. Raises OwnerGone."""
        values = (fields["url"], fields["description"], fields["events"], fields["models"], fields["organizations"])
        webhook_id = uuid4()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql("add_webhook"), webhook_id, organization_id, *values, after_sequence)
                made = Webhook.of(only(await connection.fetchrow(_sql("webhook"), webhook_id)))
                details = {name: fields[name] for name in _TOLD if fields[name] is not None}
                await note(connection, _entry(EntryType.WEBHOOK_CREATED, made, by, details))
        except asyncpg.ForeignKeyViolationError:
            raise OwnerGone from None
        return made

    async def change(
        self, webhook_id: UUID, fields: Mapping[str, Any], enabled: bool | None, *, by: Actor
    ) -> Webhook | None:
        """Change only these fields; `enabled` None leaves it on or off. Returns None if it is gone."""
        async with self._pool.acquire() as connection, connection.transaction():
            if fields:
                await connection.execute(_sql("change_webhook"), webhook_id, dict(fields))
            if enabled is not None:
                await connection.execute(_sql("enable_webhook" if enabled else "disable_webhook"), webhook_id)
            await connection.execute(_sql("notify"), CHANNEL)
            row = await connection.fetchrow(_sql("webhook"), webhook_id)
            if row is None:
                return None
            changed = Webhook.of(row)
            details = {name: value for name, value in fields.items() if name in _TOLD}
            if enabled is not None:
                details["enabled"] = enabled
            if fields or enabled is not None:
                await note(connection, _entry(EntryType.WEBHOOK_CHANGED, changed, by, details))
        return changed

    async def remove(self, webhook: Webhook, *, by: Actor) -> bool:
        """False if it is gone already."""
        async with self._pool.acquire() as connection, connection.transaction():
            removed = await connection.fetchval(_sql("remove_webhook"), webhook.id) is not None
            if removed:
                await note(connection, _entry(EntryType.WEBHOOK_DELETED, webhook, by))
        return removed

    async def rotate(self, webhook_id: UUID, former_until: datetime, *, by: Actor) -> Webhook | None:
        """Sign with the next secret, and until then also with the former one; None if it is gone."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_sql("rotate_secret"), webhook_id, former_until)
            row = await connection.fetchrow(_sql("webhook"), webhook_id)
            if row is None:
                return None
            rotated = Webhook.of(row)
            await note(connection, _entry(EntryType.WEBHOOK_SECRET_ROTATED, rotated, by))
        return rotated

    async def add_test(self, webhook: Webhook, now: datetime, *, by: Actor) -> Delivery:
        """Raises OwnerGone."""
        message_id = str(uuid4())
        data = {"webhook": {"id": str(webhook.id), "url": webhook.url, "description": webhook.description}}
        message = own_message(message_id, TEST_TYPE, str(webhook.id), now, data)
        values = (uuid4(), webhook.id, message_id, TEST_TYPE, message, now)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                row = only(await connection.fetchrow(_sql("add_test"), *values))
                await connection.execute(_sql("notify"), CHANNEL)
                await note(connection, _entry(EntryType.WEBHOOK_TESTED, webhook, by))
        except asyncpg.ForeignKeyViolationError:
            raise OwnerGone from None
        return Delivery.of(row)

    async def add_replay(self, webhook: Webhook, *, after: int, through: int, by: Actor) -> UUID:
        """Send the events behind `after` up to `through` again. Raises OwnerGone."""
        replay_id = uuid4()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_sql("add_replay"), replay_id, webhook.id, after, through)
                details = {"from_sequence": after + 1, "through_sequence": through}
                await note(connection, _entry(EntryType.WEBHOOK_REPLAYED, webhook, by, details))
        except asyncpg.ForeignKeyViolationError:
            raise OwnerGone from None
        return replay_id

    async def deliveries(
        self, webhook_id: UUID, *, state: str | None, after: Position | None, limit: int
    ) -> list[Delivery]:
        """Newest first."""
        position = after or (None, None)
        rows = await self._pool.fetch(_sql("page_of_deliveries"), webhook_id, state, *position, limit)
        return [Delivery.of(row) for row in rows]


def _entry(kind: EntryType, webhook: Webhook, by: Actor, details: Mapping[str, Any] | None = None) -> NewEntry:
    """Of its address only the host is told: the rest may be a secret between its owner and the receiver."""
    subject = Subject.of("webhook", webhook.id, urlsplit(webhook.url).hostname or "")
    return NewEntry(kind, by, subject, webhook.organization_id, details or {})


def _sql(name: str) -> str:
    return statement("services.api.webhooks", name)
