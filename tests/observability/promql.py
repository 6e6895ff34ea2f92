"""What a PromQL expression names: its metrics, each with the labels that are matched; and the labels it sums by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tools.metrics_page import Declared

OF_EVERY_SERIES: Final = frozenset({"job", "instance", "service", "process"})
"""Prometheus's, the ones that deploy/prometheus/prometheus.yml gives, and that of several api processes."""
_SERIES: Final = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
_METRIC: Final = re.compile(r"\b(coldstart_[a-z0-9_]+)(?:\{([^}]*)\})?")
_MATCHED: Final = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
_BY: Final = re.compile(r"\bby \(([^)]*)\)")


def series(metrics: Sequence[Declared]) -> Mapping[str, frozenset[str]]:
    """The labels of each series that these metrics have."""
    return {
        metric.name + suffix: frozenset({*metric.labels, *(["le"] if suffix == "_bucket" else [])})
        for metric in metrics
        for suffix in _SERIES[metric.kind]
    }


def faults(expression: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What it names that is not there."""
    named = dict(_METRIC.findall(expression))
    for name, matched in named.items():
        if name not in known:
            yield f"no metric {name}"
        else:
            unknown = {*_MATCHED.findall(matched)} - known[name] - OF_EVERY_SERIES
            yield from (f"no label {label} of {name}" for label in sorted(unknown))
    there = OF_EVERY_SERIES.union(*(known.get(name, frozenset()) for name in named))
    for labels in _BY.findall(expression):
        yield from (f"no label {label}" for each in labels.split(",") if (label := each.strip()) not in there)
