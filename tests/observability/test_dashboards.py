"""deploy/grafana: the dashboards are what the code writes, fit Grafana's model, and ask for what there is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.observability.declared import ROOT, declared
from tests.observability.promql import faults, series
from tests.observability.promtool import promtool
from tools.dashboards import WIDTH, files

FOLDER: Final = ROOT / "deploy/grafana"
DASHBOARDS: Final[Mapping[str, dict[str, Any]]] = {name: json.loads(text) for name, text in files().items()}


def expressions(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """As Prometheus gets them: Grafana replaces its variables."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m").replace("$name", ".*")


def test_the_files_are_drawn_from_the_code() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == files(), "run `make docs`"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_names_metrics_and_labels_that_exist(name: str) -> None:
    known = series(declared())
    assert [fault for expression in expressions(DASHBOARDS[name]) for fault in faults(expression, known)] == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fit_into_the_grid_and_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    panels = DASHBOARDS[name]["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= WIDTH
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_dashboards_can_be_told_apart_and_use_the_data_source_that_is_chosen() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        variables = {variable["name"]: variable["type"] for variable in dashboard["templating"]["list"]}
        assert variables["datasource"] == "datasource"
        for panel in dashboard["panels"]:
            assert {each["datasource"]["uid"] for each in (panel, *panel["targets"])} == {"${datasource}"}
            references = [target["refId"] for target in panel["targets"]]
            assert len({*references}) == len(references)


@pytest.mark.real
def test_prometheus_can_read_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"of:panel:{number}", "expr": expression}
        for number, expression in enumerate(each for one in DASHBOARDS.values() for each in expressions(one))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", str(file))
