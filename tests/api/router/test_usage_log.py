"""Usage is written until that succeeds, and old usage is deleted in batches, whatever happens to the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.api.usage.log import Usage, UsageLog
from services.api.usage.repository import UsageRepository
from shared.postgres.connection import connect_pool
from tests.api.stage import Stage, until
from tests.api.used import used

NOW = datetime.now(UTC)


@dataclass
class FakeLedger:
    """`old` is the number of batches of rows that are too old."""

    old: int = 0
    slow: bool = False
    written: list[Usage] = field(default_factory=list)
    forgot: int = 0

    async def add(self, rows: Sequence[Usage]) -> None:
        self.written += rows

    async def forget(self, before: datetime, most: int) -> bool:
        assert before < NOW
        assert most > 0
        self.forgot += 1
        if self.slow:
            raise TimeoutError
        self.old -= 1
        return self.old > 0


async def test_what_is_too_old_goes_bit_by_bit_and_then_none_is_looked_for_for_a_while() -> None:
    ledger = FakeLedger(old=3)
    await written_ten_times(ledger)
    assert (ledger.old, ledger.forgot) == (0, 3)


async def test_forgetting_that_takes_too_long_keeps_nothing_from_being_written() -> None:
    ledger = FakeLedger(slow=True)
    await written_ten_times(ledger)
    assert ledger.forgot == 1


async def written_ten_times(ledger: FakeLedger) -> None:
    log = UsageLog(ledger, interval_s=0.0, kept=timedelta(days=1))
    running = asyncio.create_task(log.run())
    for number in range(1, 11):
        log.add(used(NOW))

        async def known(number: int = number) -> bool:
            return len(ledger.written) == number

        await until(known)
    running.cancel()
    await asyncio.wait({running})


async def test_no_more_is_forgotten_at_once_than_is_asked_for(stage: Stage) -> None:
    await stage.api()
    async with connect_pool(stage.database_url, name="test") as pool:
        table = UsageRepository(pool)
        await table.add([used(NOW - timedelta(days=3)) for _ in range(5)] + [used(NOW)])
        assert [await table.forget(NOW - timedelta(days=1), 2) for _ in range(4)] == [True, True, False, False]
        assert await pool.fetchval("SELECT count(*) FROM usage") == 1
