"""What the scripts need from the lifecycle's tables, besides an instance's description."""

from typing import Any, Final

from services.api.control.machine_images import MachineImageState
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.deployments.words import CONSEQUENCES as OF_DEPLOYMENTS
from shared.lifecycle.events import EVENTS
from shared.lifecycle.groups import GROUPS, StatusGroup
from shared.lifecycle.progress import LABELS, STEP_EVENTS
from shared.lifecycle.status import ENDING, GONE, PUT_AWAY, Status
from shared.lifecycle.tone import Tone
from shared.lifecycle.words import CONSEQUENCES, RELAUNCH

FILTERS: Final = {
    StatusGroup.FAILED: "Failed",
    StatusGroup.LAUNCHING: "On the way",
    StatusGroup.READY: "Ready",
    StatusGroup.UNAVAILABLE: "Unavailable",
    StatusGroup.ENDING: "Ending",
    StatusGroup.GONE: "Terminated",
}
"""The fleet's filters, in this order."""

IMAGE_TONES: Final = {
    MachineImageState.BUILDING: Tone.PROGRESS,
    MachineImageState.AVAILABLE: Tone.GOOD,
    MachineImageState.RETIRED: Tone.NEUTRAL,
    MachineImageState.FAILED: Tone.BAD,
}


def words() -> dict[str, Any]:
    """`groups` are in a list's order; progress does not change in those that are `stopped`.

    `steps` are by what an instance is for, `consequences` are shown before an action is confirmed.
    """
    return {
        "events": [*EVENTS, *DEPLOYMENT_EVENTS],
        "steps": {
            purpose: [{"percent": percent, "label": LABELS[kind.__name__]} for percent, kind in begun.items()]
            for purpose, begun in STEP_EVENTS.items()
        },
        "groups": list(StatusGroup),
        "stopped": sorted({GROUPS[status] for status in ENDING}),
        "statuses": {
            "standing": [status for status in Status if status not in GONE],
            "ended": sorted(GONE - PUT_AWAY),
            "hidden": sorted(PUT_AWAY),
            "installing": [Status.INSTALLING],
        },
        "consequences": {**CONSEQUENCES, "relaunch": RELAUNCH},
        "deployments": {"consequences": OF_DEPLOYMENTS},
        "imageTones": IMAGE_TONES,
    }
