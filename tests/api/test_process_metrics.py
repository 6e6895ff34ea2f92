"""The metrics of several processes as one text in Prometheus's format."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.api.process_metrics import merged


def told(paths: list[str]) -> bytes:
    registry = CollectorRegistry()
    asked = Counter("asked_total", "Requests", ["path"], registry=registry)
    took = Histogram("took_seconds", "Time", buckets=(1,), registry=registry)
    for path in paths:
        asked.labels(path).inc()
        took.observe(0.5)
    return generate_latest(registry)


def test_each_sample_names_its_process_and_a_family_stands_together() -> None:
    odd = 'a"}{b'
    families = list(text_string_to_metric_families(merged({0: told(["/", odd]), 1: told(["/"])})))
    assert [family.name for family in families] == sorted({family.name for family in families})
    by_name = {family.name: family for family in families}
    asked = {(each.labels["process"], each.labels["path"]): each.value for each in by_name["asked"].samples}
    counted = {key: value for key, value in asked.items() if value < 1e6}  # the others are times of creation
    assert counted == {("0", "/"): 1.0, ("0", odd): 1.0, ("1", "/"): 1.0}
    sums = {
        each.labels["process"]: each.value for each in by_name["took_seconds"].samples if each.name.endswith("_sum")
    }
    assert sums == {"0": 1.0, "1": 0.5}
