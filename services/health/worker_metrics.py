"""Metrics of probes, and of the load that workers under watch tell: an instance's series end with its watch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from prometheus_client import REGISTRY, Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.health.probes import Failed, OldWorker, Outcome, Probe, Refused, Running, kind_of
from services.health.worker_load import FIRST_TOKEN_BOUNDS, FirstToken, WorkerLoad
from shared.lifecycle.instance import Instance

_probes: Final = Counter(
    "coldstart_health_probes_total",
    "Probes by the status of the instance they look at, and by what came of them",
    ["status", "probe", "outcome"],
)
_LABELS: Final = ("instance_id", "name", "model")
_BOUNDS: Final = tuple("+Inf" if bound == float("inf") else f"{bound:g}" for bound in FIRST_TOKEN_BOUNDS)


@dataclass(frozen=True)
class _Known:
    labels: tuple[str, str, str]
    load: WorkerLoad


class WorkerMetrics(Collector):
    """Safe to be read by the thread that serves metrics: what it reads is exchanged as a whole."""

    def __init__(self) -> None:
        self._known: Mapping[UUID, _Known] = {}

    def saw(self, instance: Instance, load: WorkerLoad) -> None:
        labels = (str(instance.id), instance.specification.name, instance.specification.model)
        self._known = {**self._known, instance.id: _Known(labels, load)}

    def forget(self, instance_id: UUID) -> None:
        if instance_id in self._known:
            self._known = {each: known for each, known in self._known.items() if each != instance_id}

    def describe(self) -> Iterator[Metric]:
        return self._families({})

    def collect(self) -> Iterator[Metric]:
        return self._families(self._known)

    def _families(self, known: Mapping[UUID, _Known]) -> Iterator[Metric]:
        running = _gauge("coldstart_worker_requests_running", "Requests that the worker's engine works on")
        waiting = _gauge("coldstart_worker_requests_waiting", "Requests that wait inside the worker")
        cache = _gauge("coldstart_worker_kv_cache_usage_ratio", "Part of the KV cache that is in use, 0 to 1")
        prompt = _counter("coldstart_worker_prompt_tokens", "Tokens that the worker has read, since its start")
        generated = _counter("coldstart_worker_generation_tokens", "Tokens that the worker has made, since its start")
        first = HistogramMetricFamily(
            "coldstart_worker_time_to_first_token_seconds",
            "Time until the worker gave the first token of an answer, as of health's last look",
            labels=_LABELS,
        )
        for each in known.values():
            load = each.load
            running.add_metric(each.labels, load.running)
            waiting.add_metric(each.labels, load.waiting)
            if load.cache_usage is not None:
                cache.add_metric(each.labels, load.cache_usage)
            if load.prompt_tokens is not None:
                prompt.add_metric(each.labels, load.prompt_tokens)
            if load.generation_tokens is not None:
                generated.add_metric(each.labels, load.generation_tokens)
            if load.first_token is not None:
                first.add_metric(each.labels, _buckets(load.first_token), load.first_token.sum_s)
        yield from (running, waiting, cache, prompt, generated, first)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, f"{text}, as of health's last look", labels=_LABELS)


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, f"{text}, as of health's last look", labels=_LABELS)


def _buckets(first_token: FirstToken) -> list[tuple[str, float]]:
    return list(zip(_BOUNDS, first_token.buckets, strict=True))


workers: Final = WorkerMetrics()
REGISTRY.register(workers)


def tell_of(instance: Instance, probe: Probe, outcome: Outcome) -> None:
    """A worker that does not answer has no load that anybody knows."""
    _probes.labels(instance.status, probe, kind_of(outcome)).inc()
    match outcome:
        case Running(load=WorkerLoad() as load):
            workers.saw(instance, load)
        case Refused() | OldWorker() | Failed():
            workers.forget(instance.id)
        case _:
            pass
