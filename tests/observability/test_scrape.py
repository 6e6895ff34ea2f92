"""A running stack serves what docs/metrics.md says, with values that are true, and a real Prometheus charts it all."""

from pathlib import Path
from typing import Final

import pytest

from tests.observability.prometheus import prometheus
from tests.observability.promtool import check_metrics
from tests.observability.stack import Observed, Scraped, families, observed, value
from tests.observability.test_dashboards import DASHBOARDS, expressions
from tools.metrics_page import OURS, SERVICES, of_service

WITHOUT_DATA: Final = ("coldstart_unknown_resources",)
"""In a stack where nothing is wrong."""


def is_complete(scraped: Scraped) -> bool:
    """Every service has told at least once what it tells again and again."""
    counted = value(scraped["progress"], "coldstart_instances", status="ready")
    generated = value(scraped["health"], "coldstart_worker_generation_tokens_total")
    usable = value(scraped["api"], "coldstart_provider_usable")
    watched = value(scraped["provisioner"], "coldstart_consumer_held_messages", consumer="health-watching")
    running = value(scraped["health"], "coldstart_worker_requests_running")
    return counted == usable == watched == 1 and (generated or 0) > 1 and running == 0


@pytest.mark.timeout(900)
async def test_a_running_stack_serves_what_the_page_lists_and_every_panel_has_data(tmp_path: Path) -> None:
    async with observed(tmp_path / "stack") as stack:
        assert (await stack.client.get("/nowhere")).status_code == 404
        scraped = await stack.until(is_complete)
        for service in SERVICES:
            serves_what_the_page_lists(service, scraped[service])
        tells_the_launch(stack, scraped)
        for text in scraped.values():
            check_metrics(text)
        (tmp_path / "prometheus").mkdir()
        async with prometheus(stack, tmp_path / "prometheus") as asked:
            await asked.until_found('count(up{job=~"coldstart.*"} == 1) == 6')
            for dashboard in DASHBOARDS.values():
                for expression in expressions(dashboard):
                    if not any(name in expression for name in WITHOUT_DATA):
                        await asked.until_found(expression)
            assert await asked.firing() == set()


def serves_what_the_page_lists(service: str, text: str) -> None:
    told = {family.name: family for family in families(text) if family.name.startswith(OURS)}
    declared = {each.name.removesuffix("_total"): each for each in of_service(service)}
    assert told.keys() == declared.keys()
    for name, family in told.items():
        assert (family.type, family.documentation) == (declared[name].kind, declared[name].help)
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert not family.samples or labels == {*declared[name].labels}, name
        assert not [sample.name for sample in family.samples if sample.name.endswith("_created")]


def tells_the_launch(stack: Observed, scraped: Scraped) -> None:
    progress, health = scraped["progress"], scraped["health"]
    assert value(progress, "coldstart_launches_total", outcome="ready") == 1
    assert value(progress, "coldstart_launch_duration_seconds_count") == 1
    assert value(progress, "coldstart_launch_step_duration_seconds_count", step="SshInstallStarted") == 1
    assert value(progress, "coldstart_launch_step_duration_seconds_count", step="InstanceReady") is None
    assert value(progress, "coldstart_projection_leader") == 1
    assert value(progress, "coldstart_cost_per_hour", currency="EUR") == pytest.approx(0.7875, rel=0.5)
    answers = value(health, "coldstart_worker_time_to_first_token_seconds_count", instance_id=stack.instance_id)
    assert (answers or 0) >= 2  # that of the client, and at least one warm-up
    assert value(scraped["api"], "coldstart_routing_table_age_seconds") is not None
