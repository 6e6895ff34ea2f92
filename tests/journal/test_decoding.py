"""What is read from the bytes of an event."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given as for_any

from shared.journal import envelope
from shared.journal.envelope import decode, encode
from shared.journal.recorded import Origin, Recorded
from shared.lifecycle.events import Event
from shared.lifecycle.instance import Instance
from tests.lifecycle import facts as f
from tests.lifecycle.arbitrary import histories, law, steps
from tests.lifecycle.facts import Facts

AT = datetime(2026, 1, 1, tzinfo=UTC)


def read_again(event: Event, instance: Instance, origin: Origin, event_id: UUID) -> Recorded:
    return decode(encode(event_id, event, instance, origin, "/test"), 7, AT)


@law
@for_any(histories())
def test_an_event_is_read_as_it_was_written(history: Facts) -> None:
    origin = Origin("health", uuid4(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    for step in steps(history):
        event_id = uuid4()
        expected = Recorded(event_id, step.event, step.after, origin, 7, AT)
        assert read_again(step.event, step.after, origin, event_id) == expected


def test_a_body_of_an_older_version_is_converted_even_if_it_looks_like_a_present_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = encode(uuid4(), f.instance_requested(), f.given(f.instance_requested()), Origin("api"), "/test")

    def renamed(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "actor": f"the former {body['actor']}"}

    monkeypatch.setitem(envelope.UPCASTS, envelope.SCHEMA_VERSION, renamed)
    monkeypatch.setattr(envelope, "SCHEMA_VERSION", envelope.SCHEMA_VERSION + 1)
    assert decode(written, 7, AT).origin == Origin("the former api")
