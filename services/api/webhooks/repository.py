"""Webhooks in the database; the webhooks service reads them there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.api.webhooks.webhooks import Delivery, Webhook
from shared.postgres.connection import Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import only, statement
from shared.webhooks import CHANNEL, TEST_TYPE, own_message


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

    async def add(self, organization_id: UUID | None, fields: Mapping[str, Any], after_sequence: int) -> Webhook:
        """It gets the events after this sequence. Raises OwnerGone."""
        values = (fields["url"], fields["description"], fields["events"], fields["models"], fields["organizations"])
        webhook_id = uuid4()
        try:
            await self._pool.execute(_sql("add_webhook"), webhook_id, organization_id, *values, after_sequence)
        except asyncpg.ForeignKeyViolationError:
            raise OwnerGone from None
        return Webhook.of(only(await self._pool.fetchrow(_sql("webhook"), webhook_id)))

    async def change(self, webhook_id: UUID, fields: Mapping[str, Any], enabled: bool | None) -> Webhook | None:
        """Change only these fields; `enabled` None leaves it on or off. Returns None if it is gone."""
        async with self._pool.acquire() as connection, connection.transaction():
            if fields:
                await connection.execute(_sql("change_webhook"), webhook_id, dict(fields))
            if enabled is not None:
                await connection.execute(_sql("enable_webhook" if enabled else "disable_webhook"), webhook_id)
            await connection.execute(_sql("notify"), CHANNEL)
        return await self.find(webhook_id)

    async def remove(self, webhook_id: UUID) -> bool:
        """False if there is no such webhook."""
        return await self._pool.fetchval(_sql("remove_webhook"), webhook_id) is not None

    async def rotate(self, webhook_id: UUID, former_until: datetime) -> Webhook | None:
        """Sign with the next secret, and until then also with the former one; None if it is gone."""
        await self._pool.execute(_sql("rotate_secret"), webhook_id, former_until)
        return await self.find(webhook_id)

    async def add_test(self, webhook: Webhook, now: datetime) -> Delivery:
        """Raises OwnerGone."""
        message_id = str(uuid4())
        data = {"webhook": {"id": str(webhook.id), "url": webhook.url, "description": webhook.description}}
        message = own_message(message_id, TEST_TYPE, str(webhook.id), now, data)
        values = (uuid4(), webhook.id, message_id, TEST_TYPE, message, now)
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                row = only(await connection.fetchrow(_sql("add_test"), *values))
                await connection.execute(_sql("notify"), CHANNEL)
        except asyncpg.ForeignKeyViolationError:
            raise OwnerGone from None
        return Delivery.of(row)

    async def add_replay(self, webhook_id: UUID, *, after: int, through: int) -> UUID:
        """Send the events behind `after` up to `through` again. Raises OwnerGone."""
        replay_id = uuid4()
        try:
            await self._pool.execute(_sql("add_replay"), replay_id, webhook_id, after, through)
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


def _sql(name: str) -> str:
    return statement("services.api.webhooks", name)
