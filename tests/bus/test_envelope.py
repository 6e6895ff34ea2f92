"""What was recorded by an older release is still understood."""

import json
from datetime import UTC, datetime
from uuid import UUID

from shared.journal.envelope import Origin, decode, encode
from shared.lifecycle.events import InstanceRequested
from tests.lifecycle import facts


def test_a_request_from_before_says_nothing_of_the_memory_that_the_weights_need() -> None:
    requested = facts.instance_requested()
    body = json.loads(encode(UUID(int=1), requested, facts.given(requested), Origin("api"), "/test"))
    for specified in (body["data"]["event"], body["data"]["instance"]):
        del specified["specification"]["gpu_memory_gb"]
    recorded = decode(json.dumps(body).encode(), 1, datetime.now(UTC))
    assert (recorded.event, recorded.instance) == (requested, facts.given(requested))


def test_a_request_from_before_does_not_say_whether_its_model_is_gated() -> None:
    requested = facts.instance_requested()
    body = encode(UUID(int=1), requested, facts.given(requested), Origin("api"), "/test")
    assert b"gated" not in body
    recorded = decode(body, 1, datetime.now(UTC))
    assert isinstance(recorded.event, InstanceRequested)
    assert recorded.event.specification.gated is None
    assert encode(recorded.id, recorded.event, recorded.instance, recorded.origin, "/test") == body
