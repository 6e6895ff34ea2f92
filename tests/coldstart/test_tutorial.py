"""The commands of docs/tutorial.md work as they stand there, one after the other, against a stack that runs."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from tests.coldstart.test_one_machine import up
from tests.embedded.owners import PROJECT

BLOCKS: Final = re.findall(
    r"^```sh\n(.*?)^```$", (PROJECT / "docs/tutorial.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
THE_END: Final = b"every command has succeeded"
FOLLOWS: Final = "coldstart events tail"
"""The command that goes on until Ctrl-C."""
FIRST_LINE: Final = r"grep -m 1 InstanceReady < <(\1)"


def script() -> str:
    """All blocks but the one that starts the stack. Of what goes on for ever the first lines are enough."""
    start, *others = BLOCKS
    assert start == "make up\n"
    assert sum(FOLLOWS in block for block in others) == 1
    blocks = "".join(re.sub(rf"^({FOLLOWS}.*)$", FIRST_LINE, block, flags=re.MULTILINE) for block in others)
    return f"{blocks}\necho {THE_END.decode()}\n"


@pytest.mark.timeout(900)
async def test_the_tutorial_leads_from_nothing_to_a_chat_and_to_an_endpoint_that_wakes(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    async with up(tmp_path / "data"):
        process = await asyncio.create_subprocess_exec(
            *("bash", "-eu", "-o", "pipefail", "-c", script()),
            cwd=tmp_path,
            env={**os.environ, "COLDSTART_DATA_DIR": str(tmp_path / "data")},
            stdout=PIPE,
            stderr=STDOUT,
            start_new_session=True,
        )
        assert process.stdout is not None
        printed = b""
        while line := await process.stdout.readline():
            printed += line
            if THE_END in line:
                break
        with suppress(ProcessLookupError):  # what goes on for ever may have ended with the script
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    said = printed.decode()
    assert THE_END in printed, said
    for words in ("100 %  ready        InstanceReady", "What is a cold start?", "Are you awake?", "at zero"):
        assert words in said, said
