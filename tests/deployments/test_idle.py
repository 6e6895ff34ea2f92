"""When the last replica goes, and figures that are far from usual."""

from datetime import datetime, timedelta

from shared.deployments.deployment import Deployment
from shared.deployments.desired import desired
from shared.deployments.load import Demand
from shared.deployments.situation import Situation
from shared.lifecycle.status import Status
from tests.deployments.examples import AT, LEAD, a_demand, a_deployment, an_instance, concluded

WOKEN = Demand(known=True, held=1)
IDLE_S = 60


def woken() -> Deployment:
    return concluded(a_deployment(min_replicas=0, scale_to_zero_after=IDLE_S), demand=WOKEN)[0]


def wanted(deployment: Deployment, seconds: float, status: Status, *, since: datetime = AT) -> int:
    """So long after it was woken, without a request since then."""
    now = AT + timedelta(seconds=seconds)
    instances = {each.instance_id: an_instance(each, status, since=since) for each in deployment.replicas}
    quiet = a_demand(0, *[0.0] * 100, now=now)
    return desired(Situation(deployment, instances, quiet, LEAD, (), now)).replicas


def test_who_woke_it_without_waiting_finds_it_when_a_launch_is_usually_done() -> None:
    assert wanted(woken(), LEAD.p90_s - 1, Status.STARTING) == 1
    assert wanted(woken(), LEAD.p90_s, Status.STARTING) == 0


def test_what_has_just_become_ready_is_kept_for_as_long_as_idleness_takes() -> None:
    ready_at = AT + timedelta(seconds=LEAD.p90_s)
    assert wanted(woken(), LEAD.p90_s + IDLE_S - 1, Status.READY, since=ready_at) == 1
    assert wanted(woken(), LEAD.p90_s + IDLE_S, Status.READY, since=ready_at) == 0


def test_no_target_is_so_small_that_nothing_can_be_decided() -> None:
    smallest = a_deployment(max_replicas=5, target_in_flight=5e-324)
    assert desired(Situation(smallest, {}, a_demand(1), LEAD, (), AT)).replicas == 5
