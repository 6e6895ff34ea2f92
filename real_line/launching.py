"""What a launch has recorded: the install's phases and the steps of loading, in their order, with their seconds."""

from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from real_line.line import Launch, Wrong
from services.provisioner.install.script import PHASES

_FETCHED: Final = "WeightsProgressed"
_SHOWN: Final = {"SshInstallPhaseReached": "phase", "ModelLoadProgressed": "stage"}


def in_order(launch: Launch) -> str:
    """All phases, and load steps that never go back. Notes the seconds of each step for the report.

    The machine itself has fetched all of the model.
    """
    rows = launch.timeline()
    if tuple(launch.phases()) != PHASES:
        raise Wrong(f"phases: {launch.phases()}")
    percents = [row["progress_percent"] for row in rows]
    if any(later < earlier for earlier, later in pairwise(percents)):
        raise Wrong(f"progress fell: {percents}")
    stages = list(dict.fromkeys(row["data"]["stage"] for row in rows if row["type"] == "ModelLoadProgressed"))
    if not {"shards", "weights"} & set(stages):  # of what is printed at once, the last counts
        raise Wrong(f"load steps: {stages}")
    fetched = [row["data"] for row in rows if row["type"] == _FETCHED]
    if not fetched or fetched[-1]["fetched_bytes"] != fetched[-1]["total_bytes"]:
        raise Wrong(f"fetched: {fetched[-1:]}")
    launch.line.durations[launch.line.scene] = seconds_of_steps(rows)
    return f"{len(PHASES)} phases, {fetched[-1]['files']} files of the model, then {', '.join(stages)}"


def seconds_of_steps(rows: list[dict[str, Any]]) -> dict[str, float]:
    """From each event to the next one of another name, phase or load step. Weights come beside the other steps."""
    moments = [(_name(row), datetime.fromisoformat(row["occurred_at"])) for row in rows if row["type"] != _FETCHED]
    seconds: dict[str, float] = {}
    for (name, began), (_, ended) in pairwise(moments):
        seconds[name] = seconds.get(name, 0.0) + (ended - began).total_seconds()
    return seconds


def _name(row: dict[str, Any]) -> str:
    detail = _SHOWN.get(row["type"])
    return f"{row['type']} ({row['data'][detail]})" if detail else str(row["type"])
