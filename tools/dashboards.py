"""deploy/grafana/*.json: Grafana's dashboards, written from the panels below. `python -m tools.dashboards FOLDER`."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WIDTH: Final = 24
"""Grafana's columns."""
HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_RATE: Final = "$__rate_interval"
_ONE: Final = 'name=~"$name"'


@dataclass(frozen=True)
class Panel:
    """`queries`: PromQL by legend. `unit` is one of Grafana's: none, s, percentunit, reqps, ops.

    `signed`: its values may be below 0.
    """

    title: str
    unit: str
    queries: Mapping[str, str]
    kind: str = "timeseries"
    width: int = 12
    stacked: bool = False
    signed: bool = False
    note: str = ""


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    panels: Sequence[Panel]
    names: str | None = None
    """A query for the values of the variable `name`."""


def _quantiles(metric: str, by: str = "", where: str = "", window: str = _RATE) -> Mapping[str, str]:
    labels = f"le, {by}" if by else "le"
    return {
        f"p{int(part * 100)}{f' {{{{{by}}}}}' if by else ''}": (
            f"histogram_quantile({part}, sum by ({labels}) (rate({metric}_bucket{where}[{window}])))"
        )
        for part in (0.5, 0.95)
    }


OVERVIEW: Final = Dashboard(
    "coldstart-overview",
    "Coldstart / Overview",
    (
        Panel("Ready", "none", {"ready": 'sum(coldstart_instances{status="ready"})'}, "stat", 4),
        Panel(
            "On their way",
            "none",
            {"starting": 'sum(coldstart_instances{status=~"provisioning|booting|installing|starting"})'},
            "stat",
            4,
        ),
        Panel(
            "Failed, kept or being released",
            "none",
            {"failed": 'sum(coldstart_instances{status=~".*failed"})'},
            "stat",
            4,
        ),
        Panel("Cost of an hour", "none", {"{{currency}}": "sum by (currency) (coldstart_cost_per_hour)"}, "stat", 4),
        Panel("Dead letters", "none", {"stored": "max(coldstart_dead_letters_stored)"}, "stat", 4),
        Panel("Services that answer", "none", {"up": 'sum(up{job=~"coldstart.*"})'}, "stat", 4),
        Panel("Instances", "none", {"{{status}}": "sum by (status) (coldstart_instances)"}, stacked=True),
        Panel("Deployments", "none", {"{{status}}": "sum by (status) (coldstart_deployments)"}, stacked=True),
        Panel(
            "Messages not yet got",
            "none",
            {"{{consumer}}": "max by (consumer) (coldstart_consumer_pending_messages)"},
            note="Consumers of the event stream, the projection and the followers' copy.",
        ),
        Panel(
            "Work that is held",
            "none",
            {"{{consumer}}": "max by (consumer) (coldstart_consumer_held_messages)"},
            stacked=True,
        ),
        Panel("From event to read model", "s", _quantiles("coldstart_projection_delay_seconds")),
        Panel(
            "Event loops and looks that come late",
            "s",
            {
                "event loop of health": "histogram_quantile(0.99, sum by (le) "
                f"(rate(coldstart_event_loop_lag_seconds_bucket[{_RATE}])))",
                "looks at workers": "histogram_quantile(0.99, sum by (le) "
                f"(rate(coldstart_health_look_lateness_seconds_bucket[{_RATE}])))",
            },
        ),
        Panel(
            "Probes of workers",
            "ops",
            {"{{probe}} {{outcome}}": f"sum by (probe, outcome) (rate(coldstart_health_probes_total[{_RATE}]))"},
        ),
        Panel(
            "Free space of the stores",
            "percentunit",
            {"{{store}}": "min by (store) (coldstart_store_free_bytes / coldstart_store_total_bytes)"},
        ),
        Panel("Clients that follow events", "none", {"clients": "sum(coldstart_sse_clients)"}),
        Panel(
            "Clock ahead of NATS",
            "s",
            {"{{service}}": "max by (service) (coldstart_clock_offset_seconds)"},
            signed=True,
        ),
    ),
)
LAUNCHES: Final = Dashboard(
    "coldstart-launches",
    "Coldstart / Launches",
    (
        Panel(
            "Launches of the last day",
            "none",
            {"{{outcome}}": "sum by (outcome) (increase(coldstart_launches_total[1d]))"},
            "stat",
            12,
        ),
        Panel(
            "Median of the last day",
            "s",
            {"p50": "histogram_quantile(0.5, sum by (le) (rate(coldstart_launch_duration_seconds_bucket[1d])))"},
            "stat",
            12,
        ),
        Panel("Until ready", "s", _quantiles("coldstart_launch_duration_seconds", window="1h")),
        Panel(
            "Launches that are over",
            "none",
            {"{{outcome}}": "sum by (outcome) (increase(coldstart_launches_total[1h]))"},
            stacked=True,
        ),
        Panel(
            "Mean duration of each step",
            "s",
            {
                "{{step}}": "sum by (step) (rate(coldstart_launch_step_duration_seconds_sum[1h])) "
                "/ sum by (step) (rate(coldstart_launch_step_duration_seconds_count[1h]))"
            },
            width=24,
            stacked=True,
        ),
        Panel("Provider can be used", "none", {"{{provider}}": "min by (provider) (coldstart_provider_usable)"}),
        Panel(
            "Calls to providers",
            "ops",
            {"{{call}} {{outcome}}": f"sum by (call, outcome) (rate(coldstart_provider_calls_total[{_RATE}]))"},
        ),
        Panel("Duration of a call", "s", _quantiles("coldstart_provider_call_seconds", "call")),
        Panel(
            "At the provider, of no instance",
            "none",
            {"{{provider}} {{kind}}": "sum by (provider, kind) (coldstart_unknown_resources)"},
        ),
    ),
)
ROUTER: Final = Dashboard(
    "coldstart-router",
    "Coldstart / Router",
    (
        Panel(
            "Requests",
            "reqps",
            {"{{route}}": f"sum by (route) (rate(coldstart_http_requests_total[{_RATE}]))"},
            stacked=True,
        ),
        Panel(
            "Answers that are no success",
            "reqps",
            {"{{status}}": f'sum by (status) (rate(coldstart_http_requests_total{{status!~"2..|3.."}}[{_RATE}]))'},
            stacked=True,
        ),
        Panel("Until a worker's first byte", "s", _quantiles("coldstart_router_first_byte_seconds")),
        Panel("Until an answer begins", "s", _quantiles("coldstart_http_response_start_seconds", "route")),
        Panel(
            "Requests now",
            "none",
            {
                "at a worker": "sum(coldstart_router_requests_in_flight)",
                "held until an instance is ready": "sum(coldstart_router_requests_waiting)",
                "all, with event streams": "sum(coldstart_http_requests_in_flight)",
            },
        ),
        Panel(
            "Tokens that workers reported",
            "none",
            {"{{kind}}": f"sum by (kind) (rate(coldstart_router_tokens_total[{_RATE}]))"},
            note="Tokens per second.",
        ),
        Panel(
            "Tried again, set aside, corrected",
            "none",
            {
                "tried at another worker, per second": f"sum(rate(coldstart_router_retries_total[{_RATE}]))",
                "workers set aside": "max(coldstart_router_workers_set_aside)",
                "routes corrected, per second": f"sum(rate(coldstart_router_corrections_total[{_RATE}]))",
            },
        ),
        Panel("Age of the routes", "s", {"age": "max(coldstart_routing_table_age_seconds)"}),
        Panel("Connections of clients", "none", {"open": "sum(coldstart_http_connections)"}),
        Panel(
            "Wrong keys",
            "none",
            {"per second": f"sum(rate(coldstart_wrong_keys_total[{_RATE}]))"},
        ),
    ),
)
INSTANCE: Final = Dashboard(
    "coldstart-instance",
    "Coldstart / Instance",
    (
        Panel("Tokens made per second", "none",
              {"{{name}}": f"sum by (name) (rate(coldstart_worker_generation_tokens_total{{{_ONE}}}[2m]))"}),
        Panel("Tokens read per second", "none",
              {"{{name}}": f"sum by (name) (rate(coldstart_worker_prompt_tokens_total{{{_ONE}}}[2m]))"}),
        Panel("Requests that run", "none",
              {"{{name}}": f"max by (name) (coldstart_worker_requests_running{{{_ONE}}})"}),
        Panel("Requests that wait in the worker", "none",
              {"{{name}}": f"max by (name) (coldstart_worker_requests_waiting{{{_ONE}}})"}),
        Panel("KV cache in use", "percentunit",
              {"{{name}}": f"max by (name) (coldstart_worker_kv_cache_usage_ratio{{{_ONE}}})"}),
        Panel("Time to the first token", "s",
              _quantiles("coldstart_worker_time_to_first_token_seconds", "name", f"{{{_ONE}}}", "5m")),
    ),
    names="label_values(coldstart_worker_requests_running, name)",
)  # fmt: skip
DASHBOARDS: Final = (OVERVIEW, LAUNCHES, ROUTER, INSTANCE)


def model(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON model, of schema version 39: what `Import` and provisioning by files take."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["coldstart"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "Coldstart", "tags": ["coldstart"], "asDropdown": True}],
        "templating": {"list": [*_variables(dashboard)]},
        "panels": [*_panels(dashboard.panels)],
    }


def _variables(dashboard: Dashboard) -> Iterable[dict[str, Any]]:
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    if dashboard.names is not None:
        yield {
            "name": "name",
            "label": "Instance",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": dashboard.names, "refId": "names"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        }


def _panels(panels: Sequence[Panel]) -> Iterable[dict[str, Any]]:
    """From left to right; the height of a row is that of its first."""
    x = y = row = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y = 0, y + row
        row = HEIGHT // 2 if panel.kind == "stat" else HEIGHT
        yield _panel(number, panel, {"x": x, "y": y, "w": panel.width, "h": row})
        x += panel.width


def _panel(number: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    custom = {"fillOpacity": 20 if panel.stacked else 5, "showPoints": "never", "stacking": stacking}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.note,
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for at, (legend, expression) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                **({} if panel.signed else {"min": 0}),
                **({} if panel.kind == "stat" else {"custom": custom}),
            },
            "overrides": [],
        },
        "options": _options(panel),
    }


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "stat":
        return {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "auto", "graphMode": "area"}
    return {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}


def files() -> Mapping[str, str]:
    """The text of each dashboard's file, by the file's name."""
    return {
        f"{dashboard.uid.removeprefix('coldstart-')}.json": json.dumps(model(dashboard), indent=2, ensure_ascii=False)
        + "\n"
        for dashboard in DASHBOARDS
    }


def main() -> None:
    for name, text in files().items():
        Path(sys.argv[1], name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
