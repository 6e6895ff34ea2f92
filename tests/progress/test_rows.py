"""The JSON in the rows of the read model."""

import json
from uuid import uuid4

import pytest
from hypothesis import given as for_any

from services.progress.rows import Rows
from shared.deployments.events import DeploymentEvent
from shared.journal.recorded import Origin, RecordedDeployment
from tests.deployments import facts as d
from tests.lifecycle import facts as f
from tests.lifecycle.arbitrary import histories, law
from tests.lifecycle.facts import Facts
from tests.progress.read_model import recorded


@law
@for_any(histories())
def test_the_json_of_a_row_is_that_of_the_stream(history: Facts) -> None:
    for each in recorded(history):
        rows = Rows([each])
        (row,) = rows.instances()
        assert json.loads(row.snapshot) == each.instance.model_dump(mode="json")
        fact = each.event.model_dump(mode="json", exclude={"instance_id", "occurred_at"})
        assert json.loads(rows.timeline[0].data) == fact


@pytest.mark.parametrize("fact", [d.replica_added(), d.replica_removed(), d.replica_ended(), d.replica_replaced()])
def test_a_row_of_a_deployment_says_of_which_instance_a_fact_is(fact: DeploymentEvent) -> None:
    event = RecordedDeployment(uuid4(), fact, d.given(d.deployment_created()), Origin("test"), 1, d.AT)
    (row,) = Rows([event]).deployment_timeline
    assert json.loads(row.data) == fact.model_dump(mode="json", exclude={"deployment_id", "occurred_at"})
    assert json.loads(row.data)["instance_id"]


def test_only_nul_is_replaced_for_postgresql() -> None:
    arguments = ("un\0readable", r"C:\u0000", "\\\0", "ü")
    (requested,) = recorded((f.instance_requested(**f.asked(vllm_args=arguments)),))
    (row,) = Rows([requested]).instances()
    stored = json.loads(row.snapshot)["specification"]["vllm_args"]
    assert stored == ["un\N{REPLACEMENT CHARACTER}readable", r"C:\u0000", "\\\N{REPLACEMENT CHARACTER}", "ü"]
