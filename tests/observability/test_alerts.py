"""deploy/prometheus/alerts.yml: every rule names metrics that exist, and fires when it should and not before."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.observability.declared import ROOT, declared
from tests.observability.promql import faults, series
from tests.observability.promtool import promtool

FOLDER: Final = ROOT / "deploy/prometheus"
RULES: Final[Sequence[dict[str, Any]]] = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
ROUNDS: Final = 240
"""Samples of a test's series, one a minute."""
PROVIDER: Final = 'provider="scaleway"'

Labels = Mapping[str, str]
Bad = tuple[Mapping[str, str], Labels]
"""The series that are to raise an alert, as promtool writes them, and the labels of the alert beside its severity."""

BAD: Final[Mapping[str, Bad]] = {
    "ColdstartDown": ({'up{job="coldstart",service="health"}': "0"}, {"job": "coldstart", "service": "health"}),
    "ColdstartEventsNotRecorded": ({"coldstart_topology_troubles": "1"}, {}),
    "ColdstartProjectionStopped": ({"coldstart_projection_leader": "0"}, {}),
    "ColdstartProjectionLags": ({'coldstart_consumer_pending_messages{consumer="progress"}': "1001"}, {}),
    "ColdstartConsumerLags": (
        {'coldstart_consumer_pending_messages{consumer="provisioner-launching"}': "101"},
        {"consumer": "provisioner-launching"},
    ),
    "ColdstartDeadLetters": ({"coldstart_dead_letters_stored": "1"}, {}),
    "ColdstartRoutesStale": ({"coldstart_routing_table_age_seconds": "16"}, {}),
    "ColdstartServerErrors": ({'coldstart_http_requests_total{status="503"}': "0+10"}, {}),
    "ColdstartRequestsWait": ({"coldstart_router_requests_waiting": "11"}, {}),
    "ColdstartLaunchesFail": ({'coldstart_launches_total{outcome="startup_failed"}': "0+1"}, {}),
    "ColdstartLaunchesSlow": (
        {
            'coldstart_launch_duration_seconds_bucket{le="1800"}': "0",
            'coldstart_launch_duration_seconds_bucket{le="3600"}': "0+1",
            'coldstart_launch_duration_seconds_bucket{le="+Inf"}': "0+1",
        },
        {},
    ),
    "ColdstartWorkersUnavailable": ({'coldstart_instances{status="unavailable"}': "1"}, {}),
    "ColdstartKvCacheFull": (
        {'coldstart_worker_kv_cache_usage_ratio{instance_id="i",name="chat",model="m"}': "0.96"},
        {"instance_id": "i", "name": "chat"},
    ),
    "ColdstartHealthBlind": ({"coldstart_health_outage_workers": "3"}, {}),
    "ColdstartHealthLate": (
        {
            'coldstart_health_look_lateness_seconds_bucket{le="1"}': "0",
            'coldstart_health_look_lateness_seconds_bucket{le="2.5"}': "0+60",
            'coldstart_health_look_lateness_seconds_bucket{le="+Inf"}': "0+60",
        },
        {},
    ),
    "ColdstartProviderUnusable": ({f"coldstart_provider_usable{{{PROVIDER}}}": "0"}, {"provider": "scaleway"}),
    "ColdstartProviderCallsFail": (
        {f'coldstart_provider_calls_total{{{PROVIDER},outcome="unreachable"}}': "0+5"},
        {"provider": "scaleway"},
    ),
    "ColdstartUnknownResources": (
        {f'coldstart_unknown_resources{{{PROVIDER},kind="volume"}}': "1"},
        {"provider": "scaleway", "kind": "volume"},
    ),
    "ColdstartStoreLow": (
        {'coldstart_store_free_bytes{store="nats"}': "9", 'coldstart_store_total_bytes{store="nats"}': "100"},
        {"store": "nats"},
    ),
    "ColdstartLaunchesRefused": ({"coldstart_launches_refused_for_space": "1"}, {}),
    "ColdstartUsageLost": ({"coldstart_usage_rows_lost_total": "0+1"}, {}),
    "ColdstartClockOff": ({'coldstart_clock_offset_seconds{service="api"}': "-6"}, {"service": "api"}),
}
WELL: Final[Mapping[str, str]] = {
    'up{job="coldstart",service="health"}': "1",
    "coldstart_topology_troubles": "0",
    "coldstart_projection_leader": "1",
    'coldstart_consumer_pending_messages{consumer="progress"}': "1000",
    'coldstart_consumer_pending_messages{consumer="provisioner-launching"}': "100",
    "coldstart_dead_letters_stored": "0",
    "coldstart_routing_table_age_seconds": "15",
    'coldstart_http_requests_total{status="200"}': "0+96",
    'coldstart_http_requests_total{status="503"}': "0+4",
    "coldstart_router_requests_waiting": "10",
    'coldstart_launches_total{outcome="ready"}': "0+1",
    'coldstart_launches_total{outcome="startup_failed"}': "0+1",
    'coldstart_launch_duration_seconds_bucket{le="900"}': "0",
    'coldstart_launch_duration_seconds_bucket{le="1800"}': "0+1",
    'coldstart_launch_duration_seconds_bucket{le="+Inf"}': "0+1",
    'coldstart_instances{status="unavailable"}': "0",
    'coldstart_worker_kv_cache_usage_ratio{instance_id="i",name="chat",model="m"}': "0.95",
    "coldstart_health_outage_workers": "0",
    'coldstart_health_look_lateness_seconds_bucket{le="0.5"}': "0+60",
    'coldstart_health_look_lateness_seconds_bucket{le="+Inf"}': "0+60",
    f"coldstart_provider_usable{{{PROVIDER}}}": "1",
    f'coldstart_provider_calls_total{{{PROVIDER},outcome="done"}}': "0+4",
    f'coldstart_provider_calls_total{{{PROVIDER},outcome="out_of_stock"}}': "0+9",
    f'coldstart_unknown_resources{{{PROVIDER},kind="volume"}}': "0",
    'coldstart_store_free_bytes{store="nats"}': "10",
    'coldstart_store_total_bytes{store="nats"}': "100",
    "coldstart_launches_refused_for_space": "0",
    "coldstart_usage_rows_lost_total": "3",
    'coldstart_clock_offset_seconds{service="api"}': "-5",
}


def test_every_rule_names_metrics_and_labels_that_exist() -> None:
    known = series(declared())
    assert {rule["alert"]: [*faults(rule["expr"], known)] for rule in RULES} == {rule["alert"]: [] for rule in RULES}


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("max(coldstart_gone) > 0", "no metric coldstart_gone"),
        ("sum(coldstart_launch_duration_seconds)", "no metric coldstart_launch_duration_seconds"),
        ('sum(coldstart_instances{state="ready"})', "no label state of coldstart_instances"),
        ("sum by (model) (coldstart_instances)", "no label model"),
    ],
)
def test_an_expression_beside_the_metrics_is_noticed(expression: str, fault: str) -> None:
    assert [*faults(expression, series(declared()))] == [fault]


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.real
def test_promtool_finds_nothing_wrong() -> None:
    promtool("check", "rules", str(FOLDER / "alerts.yml"))


@pytest.mark.real
def test_each_alert_fires_when_it_should_and_none_while_all_is_well(tmp_path: Path) -> None:
    assert BAD.keys() == {rule["alert"] for rule in RULES}
    tests = [a_test(rule, *BAD[rule["alert"]]) for rule in RULES]
    well = {"interval": "1m", "input_series": inputs(WELL), "alert_rule_test": [at_the_end(rule, []) for rule in RULES]}
    file = tmp_path / "alerts.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(FOLDER / "alerts.yml")], "tests": [*tests, well]}))
    promtool("test", "rules", str(file))


def a_test(rule: Mapping[str, Any], bad: Mapping[str, str], labels: Labels) -> dict[str, Any]:
    def shown(text: str) -> str:
        return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda label: labels[label[1]], text)

    expected = {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {name: shown(text) for name, text in rule["annotations"].items()},
    }
    return {"interval": "1m", "input_series": inputs(bad), "alert_rule_test": [at_the_end(rule, [expected])]}


def inputs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """`0+5` rises by 5 with each sample; a number stays as it is."""
    return [
        {"series": name, "values": f"{value}x{ROUNDS}" if "+" in value else f"{value}+0x{ROUNDS}"}
        for name, value in values.items()
    ]


def at_the_end(rule: Mapping[str, Any], expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"eval_time": f"{ROUNDS}m", "alertname": rule["alert"], "exp_alerts": expected}
