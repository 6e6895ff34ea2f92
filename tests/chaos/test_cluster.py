"""`make chaos` in small: that it can be played, that it strikes, and that it says what breaks."""

from collections import Counter
from pathlib import Path

from tests.chaos.faults import Fault, Kind
from tests.chaos.run import played

PLAN = (
    Fault(Kind.KILL, 0.2, "provisioner-0"),
    Fault(Kind.NODE_KILL, 0.3, "0", 1.0),
    Fault(Kind.KILL, 0.3, "api-1"),
    Fault(Kind.STALL, 0.3, "health-0", 3.5),
    Fault(Kind.CLOUD_CALL, 0.3, "any reset_after"),
    Fault(Kind.POSTGRES_KILL, 0.3, "", 0.5),
    Fault(Kind.LEADER, 0.5),
    Fault(Kind.SERVER_LOST, 0.5, dice=0.4),
    Fault(Kind.KILL, 0.5, "progress-0"),
)


async def test_a_cluster_whose_parts_die_one_after_the_other_keeps_its_promises(tmp_path: Path) -> None:
    report = await played(tmp_path, PLAN, inferences=60)
    assert report.broken == []
    planned = Counter(fault.kind for fault in PLAN)
    for kind in Kind:
        struck = report.faults[kind.value]
        assert struck.times + struck.missed == planned[kind]
        assert not struck.missed or kind is Kind.LEADER, "nobody hears it while the nodes elect one"
    assert sum(report.served.values()) == 60
    assert report.launched == sum(report.became.values())
    assert {name for name, starts in report.starts.items() if starts > 1} >= {"provisioner-0", "api-1", "progress-0"}
