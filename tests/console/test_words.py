"""The console's scripts and the terminal say the same of an instance, in the same tones, whatever its status."""

import asyncio
import json
import os
import re
import shutil
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from coldstart.colours import painted
from services.api.console.assets import Assets
from services.api.console.words import words
from shared.description import InstanceView
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.lifecycle.tone import TONES, Tone
from shared.lifecycle.words import cause
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

NODE: Final = shutil.which("node")
NOW: Final = datetime(2026, 1, 1, 13, 0, tzinfo=UTC)
TELLS: Final = """
import { cause, doing, fromSnapshot, fromView, group, inWords, where } from "./store.js";
let input = "";
for await (const chunk of process.stdin) input += chunk;
const told = (one) => ({
  status: inWords(one.status), doing: doing(one), where: where(one), group: group(one.status),
  cause: one.error && cause(one.error), zone: one.zone ?? one.provider,
});
const shown = JSON.parse(input).map(({ view, snapshot }) => [told(fromView(view, 0)), told(fromSnapshot(snapshot, 0))]);
process.stdout.write(JSON.stringify(shown));
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
    shown = [view_and_snapshot(instance) for instance in INSTANCES]
    for one, told in zip(shown, await told_by_the_console(tmp_path, shown), strict=True):
        assert told == [told_by_the_terminal(InstanceView.model_validate(one["view"]))] * 2


def test_a_tone_is_the_same_colour_in_the_consoles_styles() -> None:
    styles = files("services.api.console").joinpath("static", "console.css").read_text(encoding="utf-8")
    rules = re.findall(r'^((?:\[data-group="\w+"\](?:, )?)+) \{ --tone: var\(--(\w+)\)', styles, re.MULTILINE)
    tones = {group: VARIABLES[name] for groups, name in rules for group in re.findall(r'"(\w+)"', groups)}
    assert {status: tones[group_of(status)] for status in Status} == TONES


def view_and_snapshot(instance: Instance) -> dict[str, Any]:
    view = InstanceView.of(instance, NOW, eta=None)
    return {"view": view.model_dump(mode="json"), "snapshot": instance.model_dump(mode="json")}


async def told_by_the_console(folder: Path, shown: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    assets = Assets.read()
    for name in ("store.js", "words.js"):
        asset = assets.get(name)
        assert asset is not None
        (folder / name).write_bytes(asset.content)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "tells.js").write_text(TELLS, encoding="utf-8")
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(NODE or "node", folder / "tells.js", stdin=pipe, stdout=pipe)
    output, _ = await node.communicate(json.dumps(shown).encode())
    assert node.returncode == 0
    return list(json.loads(output))


def told_by_the_terminal(instance: InstanceView) -> dict[str, Any]:
    return {
        "status": painted(instance).plain,
        "doing": instance.doing,
        "where": instance.where,
        "group": instance.group,
        "cause": cause(instance.error) if instance.error else None,
        "zone": instance.place,
    }


def group_of(status: Status) -> str:
    """As the console's styles call the statuses that look alike."""
    statuses = words()["statuses"]
    return next((group for group in ("failed", "launching", "ending", "gone") if status in statuses[group]), status)
