"""docs/client.md works as written: each of its programs is run out of the page, in their order, against one stack."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Final

import pytest

import coldstart_client
from coldstart_client.aio.client import AsyncClient
from tests.coldstart.test_one_machine import up
from tests.embedded.owners import PROJECT

PAGE: Final = (PROJECT / "docs/client.md").read_text()
PROGRAMS: Final = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PATIENCE_S: Final = 240.0


async def run(program: str, folder: Path, data: Path) -> list[str]:
    """Its lines. It has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        cwd=folder,
        env={**os.environ, "COLDSTART_DATA_DIR": str(data), "PYTHONPATH": str(PROJECT)},
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode().splitlines()


@pytest.mark.timeout(2 * PATIENCE_S)
async def test_every_program_of_the_page_works_as_it_says(tmp_path: Path) -> None:
    launch, listing, deployment, events, refusals, once = PROGRAMS
    (folder := tmp_path / "elsewhere").mkdir()
    async with asyncio.timeout(PATIENCE_S), up(data := tmp_path / "data"):
        launched = await run(launch, folder, data)
        assert re.fullmatch(r" +\d+ %  .+", launched[0])
        assert launched[-1] == "chat ready Qwen/Qwen2.5-0.5B-Instruct"
        assert await run(listing, folder, data) == ["chat ready "]
        declared = await run(deployment, folder, data)
        assert declared[0] == "assistant at zero 4"
        assert any(line.startswith("DeploymentCreated ") for line in declared)
        followed = await run(events, folder, data)
        assert followed[0].endswith(" InstanceRequested")
        assert followed[-1].endswith(" InstanceReady")
        assert (folder / "position.txt").read_text()
        wrong, unknown = await run(refusals, folder, data)
        assert wrong.startswith("invalid_request /volume_gb ")
        assert unknown.startswith("404 deployment_not_found ")
        first, second = await run(once, folder, data)
        assert first == second


def test_the_page_names_every_error_and_every_method() -> None:
    every = {name for name in coldstart_client.__all__ if name not in {"Event", "Progress", "WrongField"}}
    assert {name for name in every if f"`{name}" not in PAGE and name not in PROGRAMS[1]} == set()
    client = AsyncClient("http://127.0.0.1:1", "a-key")
    for part in ("instances", "deployments", "models", "events"):
        methods = {name for name in dir(type(getattr(client, part))) if not name.startswith("_")}
        (row,) = re.findall(rf"^\| `client\.{part}` \| (.*) \|$", PAGE, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) == methods
