"""How long after an event its row can be read: measured between the stream and PostgreSQL's notification."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import quantiles

from nats.aio.msg import Msg

from shared.bus.connection import connect
from shared.journal.streams import EVERY_EVENT
from shared.postgres.connection import connecting


@dataclass
class RowLag:
    """Delays by stream sequence, in seconds by this process's clock."""

    _recorded: dict[int, float] = field(default_factory=dict)
    _lags: list[float] = field(default_factory=list)
    _readable: int = 0

    async def recorded(self, message: Msg) -> None:
        sequence = int((message.headers or {})["Nats-Sequence"])
        if sequence <= self._readable:  # the row was announced before the event arrived here
            self._lags.append(0.0)
        else:
            self._recorded[sequence] = time.monotonic()

    def projected(self, *notification: object) -> None:
        """Called when everything up to the payload's sequence can be read."""
        now, self._readable = time.monotonic(), int(str(notification[-1]))
        for sequence in [known for known in self._recorded if known <= self._readable]:
            self._lags.append(now - self._recorded.pop(sequence))

    @property
    def waiting(self) -> list[int]:
        """Sequences of events whose rows cannot be read yet."""
        return list(self._recorded)

    def percentile(self, percent: int) -> float:
        """Raises ValueError with fewer than two events."""
        if len(self._lags) < 2:  # noqa: PLR2004
            raise ValueError("too few events")
        return quantiles(self._lags, n=100, method="inclusive")[percent - 1]


@asynccontextmanager
async def row_lag(nats_url: str, database_url: str) -> AsyncGenerator[RowLag]:
    lag = RowLag()
    async with connecting(database_url, name="coldstart demo") as database:
        await database.add_listener("projected", lag.projected)
        connection = await connect(nats_url, "coldstart demo")
        await connection.subscribe(EVERY_EVENT, cb=lag.recorded)
        await connection.flush()
        try:
            yield lag
        finally:
            await connection.close()
