"""What the scripts have to know of the lifecycle, taken from its tables: the same words as everywhere else."""

from typing import Any

from shared.eta.estimate import LAUNCHING
from shared.eta.steps import STEPS
from shared.lifecycle.events import EVENTS, DrainRequested, ReinstallRequested
from shared.lifecycle.progress import LABELS
from shared.lifecycle.status import ENDING, FAILURES, GONE, Status
from shared.lifecycle.transitions import moves
from shared.lifecycle.words import INSTEAD_OF_THE_STEP, NAMES


def words() -> dict[str, Any]:
    """`labels` are of steps, `names` of statuses, `instead` of those in which the step says nothing of now.

    `actions`: the statuses in which each is worth offering; the api judges again, and says why not.
    """
    archivable = FAILURES | {Status.TERMINATED}
    return {
        "events": list(EVENTS),
        "labels": dict(LABELS),
        "names": dict(NAMES),
        "instead": dict(INSTEAD_OF_THE_STEP),
        "steps": [{"percent": percent, "label": label} for percent, label in STEPS.items()],
        "statuses": {
            "all": list(Status),
            "failed": sorted(FAILURES),
            "launching": sorted(LAUNCHING),
            "ending": sorted(ENDING - FAILURES - GONE),
            "gone": sorted(GONE),
        },
        "actions": {
            "drain": [status for status in Status if moves(status, DrainRequested)],
            "reinstall": [status for status in Status if moves(status, ReinstallRequested)],
            "terminate": [status for status in Status if status not in GONE | {Status.TERMINATING}],
            "archive": [status for status in Status if status in archivable],
        },
    }
