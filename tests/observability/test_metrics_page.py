"""docs/metrics.md is what the services declare, and what they declare follows Prometheus's conventions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tools.metrics_page import OURS, SERVICES, Declared, of_service, page

ROOT: Final = Path(__file__).parents[2]
BOUNDED: Final = frozenset(
    [
        "call",
        "code",
        "consumer",
        "currency",
        "event",
        "kind",
        "method",
        "name",
        "outcome",
        "probe",
        "provider",
        "route",
        "status",
        "step",
        "store",
        "why",
    ]
)
"""Labels whose values are of the code, or as few as the providers."""
OF_INSTANCES: Final = ("instance_id", "name", "model")
"""Of series that end with the watch of their instance."""


@pytest.fixture(scope="module")
def declared() -> Mapping[str, Sequence[Declared]]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SERVICES, pool.map(of_service, SERVICES), strict=True))


@pytest.fixture(scope="module")
def metrics(declared: Mapping[str, Sequence[Declared]]) -> Sequence[Declared]:
    return [each for of_one in declared.values() for each in of_one]


@pytest.mark.real
def test_the_page_is_drawn_from_the_code(declared: Mapping[str, Sequence[Declared]]) -> None:
    assert (ROOT / "docs/metrics.md").read_text() == page(declared), "run `make docs`"


@pytest.mark.real
def test_names_types_labels_and_texts_follow_the_conventions(metrics: Sequence[Declared]) -> None:
    assert [fault for each in metrics for fault in faults(each)] == []


@pytest.mark.real
def test_services_that_declare_the_same_metric_declare_it_alike(metrics: Sequence[Declared]) -> None:
    assert len({each.name for each in metrics}) == len(set(metrics))


@pytest.mark.parametrize(
    ("fault", "metric"),
    [
        ("no name of ours", Declared("http_requests_total", "counter", "Requests", ())),
        ("a counter without _total", Declared("coldstart_requests", "counter", "Requests", ())),
        ("_total, and no counter", Declared("coldstart_requests_total", "gauge", "Requests", ())),
        ("no base unit", Declared("coldstart_wait_ms", "histogram", "Waiting", ())),
        ("no base unit", Declared("coldstart_free_megabytes", "gauge", "Room", ())),
        ("no sentence for people", Declared("coldstart_wait_seconds", "histogram", "", ())),
        ("an unbounded label: model", Declared("coldstart_answers_total", "counter", "Answers", ("model",))),
        ("an unbounded label: key", Declared("coldstart_answers_total", "counter", "Answers", ("key",))),
    ],
)
def test_a_metric_beside_the_conventions_is_noticed(fault: str, metric: Declared) -> None:
    assert fault in [*faults(metric)]


def faults(metric: Declared) -> Iterator[str]:
    if not re.fullmatch(rf"{OURS}[a-z0-9]+(_[a-z0-9]+)*", metric.name):
        yield "no name of ours"
    if (metric.kind == "counter") != metric.name.endswith("_total"):
        yield "a counter without _total" if metric.kind == "counter" else "_total, and no counter"
    other = {"ms", "milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "mb", "percent"}
    if other & {*metric.name.split("_")} or (metric.kind == "histogram" and not metric.name.endswith("_seconds")):
        yield "no base unit"
    if not metric.help.strip() or metric.help.endswith("."):
        yield "no sentence for people"
    if metric.labels != OF_INSTANCES or not metric.name.startswith(f"{OURS}worker_"):
        yield from (f"an unbounded label: {label}" for label in metric.labels if label not in BOUNDED)
