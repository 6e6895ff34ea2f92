"""What was recorded by an older release is still understood, and an older release understands what is recorded."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.journal.envelope import decode, encode
from shared.journal.recorded import Origin, Recorded
from shared.lifecycle.events import InstanceRequested
from shared.lifecycle.wish import Findings
from tests.journal.former import of_version_1
from tests.lifecycle import facts


def published(requested: InstanceRequested) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(
        encode(UUID(int=1), requested, facts.given(requested), Origin("api"), "/coldstart/test")
    )
    return body


def read(body: dict[str, Any]) -> Recorded:
    return decode(json.dumps(body).encode(), 1, datetime.now(UTC))


def test_a_request_from_before_says_nothing_of_the_memory_that_the_weights_need() -> None:
    requested = facts.instance_requested()
    body = of_version_1(published(requested))
    for asked in body["data"].values():
        del asked["specification"]["gpu_memory_gb"]
    recorded = read(body)
    assert (recorded.event, recorded.instance) == (requested, facts.given(requested))


def test_a_request_from_before_does_not_say_whether_its_model_is_gated() -> None:
    requested = facts.instance_requested()
    body = published(requested)
    for asked in body["data"].values():
        assert "gated" not in asked["specification"]
    recorded = read(of_version_1(published(requested)))
    assert isinstance(recorded.event, InstanceRequested)
    assert recorded.event.findings.gated is None
    assert published(recorded.event) == body


def test_what_version_1_found_out_is_found_in_its_specification() -> None:
    requested = facts.instance_requested(**facts.asked(gated=False, gpu_memory_gb=24.5, max_hourly_price=1.5))
    recorded = read(of_version_1(published(requested)))
    assert (recorded.event, recorded.instance) == (requested, facts.given(requested))


def test_what_was_found_out_is_published_where_version_1_reads_it() -> None:
    asked = facts.asked(gated=True, gpu_memory_gb=24.5, max_hourly_price=1.5, warnings=("tight",))
    body = published(facts.instance_requested(**asked))
    for part in body["data"].values():
        version_1 = {"gated": True, "gpu_memory_gb": 24.5, "max_hourly_price": 1.5}
        assert {
            name: part["specification"][name] for name in Findings.model_fields if name in part["specification"]
        } == (version_1)
        assert part["findings"].items() >= {**version_1, "warnings": ["tight"]}.items()
