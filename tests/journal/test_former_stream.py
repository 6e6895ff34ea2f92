"""What a former version recorded is understood as it was meant."""

import json
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest

from shared.journal.envelope import decode
from shared.journal.recorded import Recorded
from shared.lifecycle.events import EVENTS
from shared.lifecycle.fold import fold
from tests.journal import former

AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    return [
        decode(json.dumps(line["body"]).encode(), number, AT) for number, line in enumerate(former.stream(), start=1)
    ]


def test_the_former_stream_has_every_event_there_was(recorded: list[Recorded]) -> None:
    assert {one.event.type() for one in recorded} == set(former.event_schema()["properties"]["type"]["enum"])
    assert {one.event.type() for one in recorded} <= EVENTS.keys()


def test_every_former_snapshot_is_the_fold_of_the_former_facts(recorded: list[Recorded]) -> None:
    histories: dict[UUID, list[Recorded]] = {}
    for one in recorded:
        history = histories.setdefault(one.instance.id, [])
        history.append(one)
        assert fold(past.event for past in history) == one.instance, one.event.type()
    assert len(histories) == 7
