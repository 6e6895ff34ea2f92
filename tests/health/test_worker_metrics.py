"""The load of workers as metrics: one series an instance, for as long as it is watched and answers."""

from collections.abc import Mapping
from uuid import uuid4

from prometheus_client import CollectorRegistry, generate_latest

from services.health.probes import Failed, Passed, Probe, Refused, Running
from services.health.worker_load import FIRST_TOKEN_BOUNDS, FirstToken, WorkerLoad
from services.health.worker_metrics import WorkerMetrics, tell_of, workers
from shared.lifecycle.instance import Instance
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

FIRST = FirstToken(tuple(float(each) for each in range(len(FIRST_TOKEN_BOUNDS))), 3.5)
LOAD = WorkerLoad(3, 2, prompt_tokens=30.0, generation_tokens=5.0, cache_usage=0.5, first_token=FIRST)


def an_instance() -> Instance:
    return given(*h.a_ready_instance()).model_copy(update={"id": uuid4()})


def values(metrics: WorkerMetrics, instance: Instance) -> Mapping[str, float]:
    return {
        sample.name + sample.labels.get("le", ""): sample.value
        for family in metrics.collect()
        for sample in family.samples
        if sample.labels["instance_id"] == str(instance.id)
    }


def test_what_a_worker_told_last_are_its_series() -> None:
    metrics, instance = WorkerMetrics(), an_instance()
    metrics.saw(instance, WorkerLoad(1, 0))
    assert values(metrics, instance) == {"coldstart_worker_requests_running": 1, "coldstart_worker_requests_waiting": 0}
    metrics.saw(instance, LOAD)
    told = values(metrics, instance)
    assert told["coldstart_worker_requests_running"] == 3
    assert told["coldstart_worker_requests_waiting"] == 2
    assert told["coldstart_worker_prompt_tokens_total"] == 30
    assert told["coldstart_worker_generation_tokens_total"] == 5
    assert told["coldstart_worker_kv_cache_usage_ratio"] == 0.5
    assert told["coldstart_worker_time_to_first_token_seconds_sum"] == 3.5
    assert told["coldstart_worker_time_to_first_token_seconds_count"] == len(FIRST_TOKEN_BOUNDS) - 1
    assert told["coldstart_worker_time_to_first_token_seconds_bucket2.5"] == 4


def test_an_instance_that_is_watched_no_more_has_no_series() -> None:
    metrics, one, another = WorkerMetrics(), an_instance(), an_instance()
    for each in (one, another):
        metrics.saw(each, LOAD)
    metrics.forget(one.id)
    assert not values(metrics, one)
    assert values(metrics, another)


def test_a_worker_that_does_not_answer_has_no_series_and_one_that_passes_another_probe_keeps_them() -> None:
    instance = an_instance()
    for outcome in (Refused(), Failed("no answer", silent=True)):
        tell_of(instance, Probe.RUNNING, Running(5, 0.0, None, LOAD))
        tell_of(instance, Probe.HEALTH, Passed())
        assert values(workers, instance)
        tell_of(instance, Probe.HEALTH, outcome)
        assert not values(workers, instance)


def test_the_text_of_them_can_be_read() -> None:
    registry, metrics = CollectorRegistry(), WorkerMetrics()
    metrics.saw(an_instance(), LOAD)
    registry.register(metrics)
    assert b"coldstart_worker_time_to_first_token_seconds_bucket{instance_id=" in generate_latest(registry)
