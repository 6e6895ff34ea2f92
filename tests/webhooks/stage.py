"""A stream, an author, tables with webhooks, and the service that delivers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from asyncpg import Record
from standardwebhooks.webhooks import Webhook

from services.webhooks.settings import WebhooksSettings
from shared.journal.streams import LIFECYCLE
from shared.postgres.connection import Connection, connecting
from shared.secrets import Secrets
from shared.webhooks import CHANNEL, secret_text
from tests.progress.service import Author, writing

MASTER: Final = "a-master-secret-of-the-tests-that-is-long-enough"
PATIENCE_S: Final = 120.0


def a_pace(nats_url: str, database_url: str, **overrides: Any) -> WebhooksSettings:
    example = {
        "nats_url": nats_url,
        "database_url": database_url,
        "master_secret": MASTER,
        "webhooks_allow_private": "127.0.0.0/8",
        "webhooks_retry_seconds": "0.05,0.05,0.1",
        "webhooks_pause_seconds": 0.01,
        "webhooks_longest_pause_seconds": 0.05,
        "webhooks_look_seconds": 0.2,
        "standby_seconds": 0.05,
        "stream_heartbeat_seconds": 0.5,
        "longest_pause_seconds": 0.2,
        "stop_grace_seconds": 1.0,
    }
    return WebhooksSettings.model_validate(example | overrides)


def verified(secret: str, body: bytes, headers: dict[str, str]) -> Any:
    """What the specification's own library makes of it. Raises WebhookVerificationError."""
    return Webhook(secret).verify(body.decode(), headers)


def secret_of(webhook_id: UUID, number: int = 1) -> str:
    return secret_text(Secrets(MASTER).webhook_key(webhook_id, number))


@dataclass(frozen=True)
class Stage:
    author: Author
    database: Connection
    settings: WebhooksSettings

    async def add(self, url: str, **columns: Any) -> UUID:
        """A webhook, which gets what is recorded from now on."""
        webhook_id = uuid4()
        given = {"id": webhook_id, "url": url, "after_sequence": await self.author.last_sequence()} | columns
        names, places = ", ".join(given), ", ".join(f"${number}" for number in range(1, len(given) + 1))
        await self.database.execute(f"INSERT INTO webhooks ({names}) VALUES ({places})", *given.values())  # noqa: S608  names of a test
        return webhook_id

    async def change(self, webhook_id: UUID, **columns: Any) -> None:
        given = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, start=2))
        statement = f"UPDATE webhooks SET {given} WHERE id = $1"  # noqa: S608  names of a test
        await self.database.execute(statement, webhook_id, *columns.values())

    async def add_replay(self, webhook_id: UUID, after: int, through: int) -> None:
        row = (uuid4(), webhook_id, after, through)
        await self.database.execute(
            "INSERT INTO webhook_replays (id, webhook_id, after_sequence, through_sequence) VALUES ($1, $2, $3, $4)",
            *row,
        )

    async def add_test(self, webhook_id: UUID) -> UUID:
        delivery_id, message_id, now = uuid4(), str(uuid4()), datetime.now(UTC)
        message = {"id": message_id, "type": "WebhookTest", "data": {}}
        await self.database.execute(
            "INSERT INTO webhook_deliveries (id, webhook_id, kind, message_id, type, message, next_try_at, created_at) "
            "VALUES ($1, $2, 'test', $3, 'WebhookTest', $4, $5, $5)",
            *(delivery_id, webhook_id, message_id, message, now),
        )
        await self.database.execute("SELECT pg_notify($1, '')", CHANNEL)
        return delivery_id

    async def webhook(self, webhook_id: UUID) -> Record:
        row = await self.database.fetchrow("SELECT * FROM webhooks WHERE id = $1", webhook_id)
        assert row is not None
        return row

    async def deliveries(self, webhook_id: UUID) -> list[Record]:
        return await self.database.fetch(
            "SELECT * FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY created_at, sequence", webhook_id
        )

    async def until(self, webhook_id: UUID, like_that: Callable[[Record, list[Record]], bool]) -> list[Record]:
        """The deliveries, once it and they are like that. Nothing announces a change of these rows."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await self.deliveries(webhook_id)
                if like_that(await self.webhook(webhook_id), found):
                    return found
                await asyncio.sleep(0.02)

    async def until_done(self, webhook_id: UUID, count: int) -> list[Record]:
        return await self.until(
            webhook_id,
            lambda _, found: len(found) >= count and all(one["state"] != "pending" for one in found),
        )

    async def events(self) -> list[str]:
        """The ids of all events, in the order of the stream."""
        jetstream, found = self.author.connection.jetstream(), []
        for sequence in range(1, await self.author.last_sequence() + 1):
            message = await jetstream.get_msg(LIFECYCLE, seq=sequence)
            found.append(str(json.loads(message.data or b"")["id"]))
        return found


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@asynccontextmanager
async def staged(nats_url: str, database_url: str, **overrides: Any) -> AsyncGenerator[Stage]:
    async with writing(nats_url) as author, connecting(database_url, name="test") as database:
        yield Stage(author, database, a_pace(nats_url, database_url, **overrides))
