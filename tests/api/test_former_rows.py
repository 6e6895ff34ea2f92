"""The api understands rows that an older version wrote, wherever it reads instances from the database."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from services.api.control.repository import InstanceRepository
from services.api.feed.repository import ReadModelRepository
from services.api.tenancy.repository import OrganizationRepository
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings
from shared.postgres.connection import Pool, connect_pool
from tests.journal import former

INSTALLATION = uuid4()
KNOWN = [UUID(row["id"]) for row in former.rows("instances")]
ORGANIZATION = UUID("3a1d7c52-9a5e-4f4a-8d1b-0c6f8f6f7a31")

Read = Callable[[Pool], Awaitable[Sequence[Instance]]]


async def listed(pool: Pool) -> Sequence[Instance]:
    rows = InstanceRepository(pool)
    everything = sorted({row["status"] for row in former.rows("instances")})
    return await rows.page(after=None, limit=100, statuses=everything, model=None, organization_id=None)


async def followed(pool: Pool) -> Sequence[Instance]:
    return (await ReadModelRepository(pool).standing(INSTALLATION, KNOWN)).instances


async def counted(pool: Pool) -> Sequence[Instance]:
    return await OrganizationRepository(pool).standing(ORGANIZATION, KNOWN)


@pytest.mark.parametrize("read", [listed, followed, counted])
async def test_what_was_found_out_is_read_from_a_former_row(read: Read, database_url: str) -> None:
    async with connect_pool(database_url, name="test") as pool:
        for row in former.rows("instances"):
            await pool.execute("INSERT INTO instances SELECT * FROM jsonb_populate_record(NULL::instances, $1)", row)
        await pool.execute(
            "INSERT INTO checkpoints (projection, installation, sequence) VALUES ('instances', $1, 1)", INSTALLATION
        )
        found = {instance.specification.name: instance.findings for instance in await read(pool)}
    assert found["any"] == Findings(gated=True, gpu_memory_gb=140.5, max_hourly_price=2.5)
    assert found["idle"] == Findings(gated=False, max_hourly_price=1.25)
    if read is not counted:
        assert found["kept"] == Findings()
        assert len(found) == len(KNOWN)
