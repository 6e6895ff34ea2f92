"""docs/metrics.md: every metric of every service, as its process declares it. `python -m tools.metrics_page`.

Each service is imported in a process of its own, since what a process declares is what it serves.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

SERVICES: Final = ("api", "provisioner", "health", "progress", "scaler", "webhooks")
OURS: Final = "coldstart_"
_HEAD: Final = """\
<!-- Drawn from the code by `make docs`. -->
# Metrics

Every metric of Coldstart's services, in Prometheus's format ([where they are served](running.md#metrics)). Each process
also serves what `prometheus_client` tells of every Python process: `process_*`, `python_info`, `python_gc_*`.

- A histogram has the series `_bucket`, `_sum` and `_count`.
- Labels have few values each: statuses, steps, routes and codes of the code. Series with `instance_id` are there only
  while that instance is watched and its worker answers.
- If several api processes serve one port, each series has the label `process` as well.
"""


@dataclass(frozen=True)
class Declared:
    """One family of metrics: `kind` is counter, gauge or histogram; `labels` in the order of their declaration."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]


def declared_here() -> list[Declared]:
    """The project's own metrics in this process, by name.

    The registry's public `collect` tells no labels of a family that has no series yet.
    """
    found = (_declared(each) for collector in {*REGISTRY._collector_to_names} for each in _families(collector))  # noqa: SLF001
    return sorted((each for each in found if each.name.startswith(OURS)), key=lambda each: each.name)


def _families(collector: Any) -> Sequence[Any]:
    """A metric of prometheus_client's is its own only family; the labels of others are in what they describe."""
    if isinstance(collector, MetricWrapperBase):
        return [collector]
    return list(collector.describe()) if hasattr(collector, "describe") else []


def _declared(family: Any) -> Declared:
    if isinstance(family, MetricWrapperBase):
        name, kind, text = family._name, str(family._type), family._documentation  # noqa: SLF001 - nobody else tells it
    else:
        name, kind, text = family.name, family.type, family.documentation
    return Declared(f"{name}_total" if kind == "counter" else name, kind, text, tuple(family._labelnames))  # noqa: SLF001


def of_service(service: str) -> list[Declared]:
    """What a process of this service declares. Raises CalledProcessError."""
    command = (sys.executable, "-m", "tools.metrics_page", service)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [Declared(**{**each, "labels": tuple(each["labels"])}) for each in json.loads(said)]


def every_service() -> Mapping[str, Sequence[Declared]]:
    return {service: of_service(service) for service in SERVICES}


def page(declared: Mapping[str, Sequence[Declared]]) -> str:
    """`declared` by service."""
    services: dict[str, list[str]] = {}
    metrics = {each.name: each for of_one in declared.values() for each in of_one}
    for service, of_one in declared.items():
        for each in of_one:
            services.setdefault(each.name, []).append(service)
    rows = [
        f"| `{name}` | {metrics[name].kind} | {', '.join(f'`{label}`' for label in metrics[name].labels)} "
        f"| {_by(services[name])} | {metrics[name].help} |\n"
        for name in sorted(metrics)
    ]
    return f"{_HEAD}\n| metric | type | labels | of | what |\n|---|---|---|---|---|\n{''.join(rows)}"


def _by(services: Sequence[str]) -> str:
    return "every service" if len(services) == len(SERVICES) else ", ".join(services)


def import_whole(package: str) -> None:
    """Every module of it: a provider's adapter is imported only where that provider is configured."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        import_module(module.name)


def main() -> None:
    if len(sys.argv) > 1:
        import_whole(f"services.{sys.argv[1]}")
        json.dump([vars(each) for each in declared_here()], sys.stdout)
    else:
        sys.stdout.write(page(every_service()))


if __name__ == "__main__":
    main()
