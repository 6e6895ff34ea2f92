"""What is read of a worker's metrics for charts: as both versions of vLLM wrote it, and nothing that is no number."""

import math

import pytest

from services.health.worker_load import FIRST_TOKEN_BOUNDS, Extras, FirstToken, extras

BUCKETS = ("0.001", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "7.5", "10.0", "20.0", "40.0", "80.0", "160.0")
FIRST = "vllm:time_to_first_token_seconds"
LABELS = 'engine="{}",model_name="Qwen/Qwen2.5-0.5B-Instruct"'


def recorded(engine: int = 0, usage: str = "0.25", cache: str = "kv") -> str:
    """As vLLM 0.13.0 and 0.32.0 wrote it after twelve requests."""
    labels = LABELS.format(engine)
    counts = (0, 5, 6, 6, 6, 6, 7, *[12] * 7)
    buckets = "".join(
        f'{FIRST}_bucket{{engine="{engine}",le="{bound}",model_name="Qwen"}} {count}.0\n'
        for bound, count in zip(BUCKETS, counts, strict=True)
    )
    return (
        f"# TYPE vllm:{cache}_cache_usage_perc gauge\nvllm:{cache}_cache_usage_perc{{{labels}}} {usage}\n{buckets}"
        f'{FIRST}_bucket{{engine="{engine}",le="640.0",model_name="Qwen"}} 12.0\n'
        f'{FIRST}_bucket{{engine="{engine}",le="+Inf",model_name="Qwen"}} 12.0\n'
        f"{FIRST}_count{{{labels}}} 12.0\n{FIRST}_sum{{{labels}}} 24.713210582733154\n"
        f"{FIRST}_created{{{labels}}} 1.7959127285594008e+09\n"
    )


SEEN = FirstToken((5, 6, 6, 6, 7, 12, 12, 12, 12, 12, 12, 12), 24.713210582733154)


def test_the_cache_and_the_time_to_the_first_token_are_read_as_vllm_writes_them() -> None:
    assert extras(recorded().encode()) == Extras(0.25, SEEN)
    assert extras(recorded(cache="gpu").encode()) == Extras(0.25, SEEN)


def test_of_several_engines_the_fullest_cache_counts_and_first_tokens_add_up() -> None:
    told = extras((recorded(0, "0.25") + recorded(1, "0.75")).encode())
    assert told.cache_usage == 0.75
    assert told.first_token is not None
    assert told.first_token.buckets == tuple(2 * count for count in SEEN.buckets)


@pytest.mark.parametrize("usage", ["NaN", "-1", "+Inf", "1.5", "many", "1" * 40, "0.5 7 7"])
def test_a_cache_usage_that_is_no_part_is_not_told(usage: str) -> None:
    assert extras(recorded(usage=usage).encode()).cache_usage in (None, 0.5)


def test_buckets_that_fall_or_are_missing_are_not_told() -> None:
    whole = recorded()
    assert extras(whole.replace('le="2.5",model_name="Qwen"} 7.0', 'le="2.5",model_name="Qwen"} 1.0').encode()) == (
        Extras(0.25, None)
    )
    assert extras(whole.replace('le="40.0"', 'le="41.0"').encode()).first_token is None
    assert extras(b"") == Extras(None, None)


def test_more_lines_than_any_worker_has_are_not_read() -> None:
    assert extras((recorded() * 150).encode()) == Extras(None, None)


def test_the_last_bound_has_all() -> None:
    assert FIRST_TOKEN_BOUNDS[-1] == math.inf
