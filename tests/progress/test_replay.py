"""An event that could not be projected when its turn came is projected once it can be."""

from uuid import uuid4

import pytest

from services.progress.app import project_once_more, running
from services.progress.projection import checkpoint
from shared.journal.envelope import Undecodable
from tests.lifecycle import histories as h
from tests.progress.read_model import all_rows
from tests.progress.service import Stage, malformed


async def test_an_event_whose_turn_is_over_is_projected_by_itself(stage: Stage) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write(h.a_launch()))
    rows, reached = await all_rows(stage.database), await checkpoint(stage.database)
    await stage.database.execute("DELETE FROM timeline WHERE sequence = 3")
    await project_once_more(stage.settings, 3)
    assert await all_rows(stage.database) == rows
    assert await checkpoint(stage.database) == reached


async def test_an_event_that_still_cannot_be_read_is_refused(stage: Stage) -> None:
    sequence = await stage.author.publish(*malformed(uuid4()))
    with pytest.raises(Undecodable):
        await project_once_more(stage.settings, sequence)
