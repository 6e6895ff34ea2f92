"""What the demo says when it is not let end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coldstart import demo
from coldstart.settings import StackSettings


@pytest.mark.parametrize("keep", [False, True])
async def test_an_interrupted_demo_says_that_nothing_of_it_runs_and_leaves_what_it_was_told_to(
    monkeypatch: pytest.MonkeyPatch, *, keep: bool
) -> None:
    started: asyncio.Queue[Path] = asyncio.Queue()

    @asynccontextmanager
    async def a_slow_stack(settings: StackSettings, **_: Any) -> AsyncGenerator[None]:
        await started.put(settings.data_dir)
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr(demo, "stack", a_slow_stack)
    said = StringIO()
    running = asyncio.create_task(demo.demo(Console(file=said, width=200), keep=keep))
    data_dir = await started.get()
    assert said.getvalue() == "SIMULATED: no machine is rented, and answers are made up\n"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert "interrupted: all that the demo started is stopped" in said.getvalue()
    assert ("data kept in" in said.getvalue(), data_dir.exists()) == (keep, keep)
