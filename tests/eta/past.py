"""Past launches and instances under way, each with only what a test is about; and strategies for any of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from hypothesis import strategies as st

from shared.eta.launch import MILESTONES, Launch, first_percent
from shared.lifecycle.instance import Instance
from shared.lifecycle.progress import PROGRESS
from tests.lifecycle import facts as f

STEPS: Final = sorted({percent for percent in PROGRESS.values() if percent > 5})


def a_launch(steps: Mapping[int, float] | float = 10.0, *, number: int = 0, **fields: Any) -> Launch:
    """`steps`: seconds to each percentage from the one before; `number` orders launches in time."""
    attempt = fields.get("attempt", 1)
    begin = first_percent(attempt)
    if isinstance(steps, float):
        steps = {percent: steps for percent in STEPS if percent > begin}
    moments = accumulate(steps.values(), initial=0.0)
    example = {
        "instance_id": UUID(int=number),
        "attempt": attempt,
        "provider": "scaleway",
        "instance_type": "L4-1-24G",
        "model": "Qwen/Qwen2.5-0.5B-Instruct",
        "ready_at": f.AT - timedelta(days=1) + timedelta(minutes=number),
        "reached": tuple(zip((begin, *steps), moments, strict=True)),
    }
    return Launch.model_validate(example | fields)


def under_way(percent: int, *, passed: float = 0.0, since: datetime = f.AT, attempt: int = 1) -> Instance:
    """An instance that came to `percent` at `since`, `passed` seconds after its attempt began."""
    began = since - timedelta(seconds=passed)
    instance = f.given(f.instance_requested(occurred_at=began), f.instance_created(occurred_at=began))
    return instance.model_copy(
        update={
            "attempt": attempt,
            "progress_percent": percent,
            "attempt_started_at": began,
            "progress_since": since,
            "updated_at": since,
        }
    )


_seconds = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 5000), st.floats(0, 1e9))


@st.composite
def launches(draw: st.DrawFn) -> Launch:
    """Any that could have been, skipping any steps; some of another kind."""
    attempt = draw(st.sampled_from((1, 1, 2)))
    percents = draw(st.sets(st.integers(first_percent(attempt) + 1, 99)))
    return a_launch(
        {percent: draw(_seconds) for percent in sorted(percents | {100})},
        number=draw(st.integers(0, 1000)),
        attempt=attempt,
        provider=draw(st.sampled_from(("scaleway", "scaleway", "machines"))),
        instance_type=draw(st.sampled_from(("L4-1-24G", "L4-1-24G", "H100-1-80G", None))),
        model=draw(st.sampled_from(("Qwen/Qwen2.5-0.5B-Instruct", "meta/llama"))),
    )


pasts = st.lists(launches(), max_size=12, unique_by=lambda launch: launch.instance_id)
percents = st.one_of(st.sampled_from(MILESTONES[:-1]), st.integers(5, 99))
