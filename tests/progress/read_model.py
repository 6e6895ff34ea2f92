"""What the tests look at: all rows of the read model, and until when it has got."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from services.progress.projection import CHANNEL, checkpoint
from shared.journal.recorded import Origin, Recorded
from shared.lifecycle.events import Event, event_id
from shared.lifecycle.fold import evolve
from shared.postgres.connection import Connection, connecting
from tests.lifecycle import facts as f

TABLES: Final = {
    "instances": "SELECT * FROM instances ORDER BY id",
    "timeline": "SELECT * FROM timeline ORDER BY instance_id, version",
    "step_durations": "SELECT * FROM step_durations ORDER BY instance_id, attempt, step",
    "deployments": "SELECT * FROM deployments ORDER BY id",
    "deployment_timeline": "SELECT * FROM deployment_timeline ORDER BY deployment_id, version",
}
Rows = dict[str, list[dict[str, Any]]]


async def all_rows(database: Connection) -> Rows:
    return {table: [dict(row) for row in await database.fetch(query)] for table, query in TABLES.items()}


def recorded(history: Iterable[Event], *, first_sequence: int = 1) -> list[Recorded]:
    """The history as a stream would hold it, one event a second by the stream's clock."""
    first, *rest = history
    instance = f.given(first)
    events = [(first, instance)]
    for event in rest:
        instance = evolve(instance, event)
        events.append((event, instance))
    return [
        Recorded(event_id(event), event, after, Origin("test"), sequence, f.AT + timedelta(seconds=sequence))
        for sequence, (event, after) in enumerate(events, start=first_sequence)
    ]


class Watcher:
    """Waits for the read model to get somewhere, as the api does."""

    def __init__(self, database: Connection) -> None:
        self._database = database
        self._notified = asyncio.Event()

    def notified(self, *_: object) -> None:
        self._notified.set()

    async def news(self) -> None:
        """The next notification, or one that came since the last one that was waited for."""
        await self._notified.wait()
        self._notified.clear()

    async def reached(self, sequence: int, *, within_s: float = 60) -> None:
        async with asyncio.timeout(within_s):
            while True:
                self._notified.clear()
                now = await checkpoint(self._database)
                if now is not None and now.sequence >= sequence:
                    return
                await self._notified.wait()


@asynccontextmanager
async def watching(database_url: str) -> AsyncGenerator[tuple[Watcher, Connection]]:
    async with connecting(database_url, name="test watcher") as database:
        watcher = Watcher(database)
        await database.add_listener(CHANNEL, watcher.notified)
        yield watcher, database
        if not database.is_closed():
            await database.remove_listener(CHANNEL, watcher.notified)
