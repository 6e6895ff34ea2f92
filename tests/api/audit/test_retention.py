"""Entries are deleted when they are too old, and not before."""

from datetime import timedelta

from services.api.audit.entries import EntryType, NewEntry, Subject
from services.api.audit.repository import AuditRepository, Filter
from shared.clock import CLOCK
from shared.postgres.connection import connect_pool
from tests.api.stage import Stage
from tests.lifecycle.facts import SOMEBODY


async def test_old_entries_are_deleted_some_at_a_time_the_oldest_first(stage: Stage) -> None:
    await stage.api()
    async with connect_pool(stage.database_url, name="test", max_size=1) as pool:
        audit = AuditRepository(pool)
        for number in range(4):
            subject = Subject(kind="provider", id="all", name=f"number {number}")
            await audit.add(NewEntry(EntryType.RECONCILIATION_REQUESTED, SOMEBODY, subject))
            passed = timedelta(days=10 * (4 - number))
            await pool.execute(
                "UPDATE audit_log SET at = at - $2::interval WHERE subject_name = $1", subject.name, passed
            )

        async def left() -> list[str]:
            return [entry.subject.name for entry in await audit.page(Filter(), after=None, limit=10)]

        before = CLOCK.now() - timedelta(days=15)
        assert await audit.forget(before, 2), "there may be more"
        assert await left() == ["number 3", "number 2"]
        assert not await audit.forget(before, 2)
        assert await left() == ["number 3"]
