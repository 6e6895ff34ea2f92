"""Many launches at once in an unreliable cloud: each is ready or says why not, and nothing is left over."""

from collections import Counter
from pathlib import Path

from tests.integration.fleet import ended, launched, unreliable
from tests.integration.line import line

COUNT = 20
PATIENCE_S = 140.0


async def test_twenty_launches_in_a_cloud_that_fails_in_every_way_end_ready_or_failed_and_leave_nothing(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url, scenario=unreliable(0.05, seed=20)) as running:
        became = await launched(running, COUNT, within_s=PATIENCE_S)
        assert len(became) == COUNT
        assert Counter(became.values())["ready"] > COUNT / 2, became
        await ended(running, became, within_s=PATIENCE_S)
