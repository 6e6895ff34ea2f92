"""The console's scripts and the terminal say the same of an instance, in the same tones, whatever its status."""

import asyncio
import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from coldstart.colours import painted
from services.api.console.assets import Assets
from services.api.console.words import FILTERS
from shared.description import InstanceView
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.tone import Tone
from shared.lifecycle.words import cause
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

NODE: Final = shutil.which("node")
NOW: Final = datetime(2026, 1, 1, 13, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
TELLS: Final = """
import { cause, costAt, described } from "./store.js";
let input = "";
for await (const chunk of process.stdin) input += chunk;
const { views, hourLater } = JSON.parse(input);
const told = (one) => ({
  status: one.statusLabel, doing: one.doing, where: one.where, group: one.group, tone: one.tone,
  cause: one.error && cause(one.error), place: one.place, actions: one.actions, serving: one.serving, cost: one.cost,
  hourLater: costAt(one, hourLater),
});
process.stdout.write(JSON.stringify(views.map((view) => told(described(view)))));
"""
DELAYED: Final = (
    given(f.instance_requested(), f.action_delayed(), f.action_delayed(number=2, reason="no L4 in fr-par-1")),
    given(*h.an_installing_instance(), f.action_delayed(action="install", reason="the machine hung up")),
    given(*h.a_terminating_instance(), f.action_delayed(action="release", reason="the cloud is down")),
)
INSTANCES: Final = (*(given(*history) for history in h.IN_STATUS.values()), *DELAYED)
VARIABLES: Final = {"good": Tone.GOOD, "busy": Tone.PROGRESS, "warn": Tone.WARN, "bad": Tone.BAD, "calm": Tone.NEUTRAL}


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="Node.js is not installed (apt-get install nodejs)")
async def test_the_console_and_the_terminal_say_the_same_of_every_status(tmp_path: Path) -> None:
    shown = [InstanceView.of(instance, NOW, eta=None) for instance in INSTANCES]
    for one, told in zip(shown, await told_by_the_console(tmp_path, shown), strict=True):
        assert told == told_by_the_terminal(one)


def test_a_tone_is_a_colour_of_its_own_in_the_consoles_styles() -> None:
    styles = files("services.api.console").joinpath("static", "console.css").read_text(encoding="utf-8")
    rules = re.findall(r'^\[data-tone="(\w+)"\] \{ --tone: var\(--(\w+)\)', styles, re.MULTILINE)
    assert {tone: VARIABLES[name] for tone, name in rules} == {tone: tone for tone in Tone}


def test_the_fleet_can_be_filtered_by_every_group() -> None:
    assert set(FILTERS) == set(StatusGroup)


async def told_by_the_console(folder: Path, shown: list[InstanceView]) -> list[dict[str, Any]]:
    assets = Assets.read()
    store = assets.get("store.js")
    assert store is not None
    (folder / "store.js").write_bytes(store.content)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "tells.js").write_text(TELLS, encoding="utf-8")
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(NODE or "node", folder / "tells.js", stdin=pipe, stdout=pipe)
    given = {
        "views": [view.model_dump(mode="json") for view in shown],
        "hourLater": (NOW + HOUR).timestamp() * 1000,
    }
    output, _ = await node.communicate(json.dumps(given).encode())
    assert node.returncode == 0
    return list(json.loads(output))


def told_by_the_terminal(instance: InstanceView) -> dict[str, Any]:
    return {
        "status": painted(instance).plain,
        "doing": instance.doing,
        "where": instance.where,
        "group": instance.group,
        "tone": instance.tone,
        "cause": cause(instance.error) if instance.error else None,
        "place": instance.place,
        "actions": list(instance.actions),
        "serving": instance.serving,
        "cost": instance.cost,
        "hourLater": instance.cost_after(HOUR),
    }
