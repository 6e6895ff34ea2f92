import json

from tests.chaos.faults import Kind
from tests.chaos.page import PAGE, PROMISES, RECORDED, drawn


def test_the_page_tells_of_the_recorded_run() -> None:
    page = PAGE.read_text()
    assert drawn(page, json.loads(RECORDED.read_text())) == page


def test_the_recorded_run_is_of_a_thousand_faults_and_three_thousand_inferences_and_broke_nothing() -> None:
    report = json.loads(RECORDED.read_text())
    assert sum(struck["times"] for struck in report["faults"].values()) >= 1000
    assert sum(report["served"].values()) >= 3000
    assert report["broken"] == []


def test_every_fault_has_its_promise() -> None:
    assert PROMISES.keys() == {*Kind}
