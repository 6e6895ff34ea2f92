"""What somebody asks of a deployment: what happens then, and what has happened already."""

from datetime import timedelta

import pytest

from shared.deployments import events as e
from shared.deployments.decide import pause, restart, resume, rollback
from shared.deployments.deployment import Degraded, Deployment
from shared.deployments.errors import DeploymentRefused, DeploymentUnknown
from shared.deployments.fold import evolve
from tests.deployments.examples import AT, ID, a_deployment, an_instance, changed, concluded


def paused() -> Deployment:
    return evolve(a_deployment(), e.DeploymentPaused(deployment_id=ID, occurred_at=AT))


def with_trouble(*, gave_up: bool) -> Deployment:
    trouble = Degraded(code="startup_timeout", message="It failed.", since=AT, gave_up=gave_up)
    return a_deployment().model_copy(update={"degraded": trouble})


def test_it_is_paused_once() -> None:
    assert pause(a_deployment(), ID, AT) is not None
    assert pause(paused(), ID, AT) is None


def test_what_is_paused_or_has_given_up_is_resumed_and_nothing_else() -> None:
    assert resume(paused(), ID, AT) is not None
    assert resume(with_trouble(gave_up=True), ID, AT) is not None
    assert resume(with_trouble(gave_up=False), ID, AT) is None
    assert resume(a_deployment(), ID, AT) is None


def test_of_what_is_deleted_nothing_can_be_asked() -> None:
    deleted = evolve(a_deployment(), e.DeploymentDeleted(deployment_id=ID, occurred_at=AT))
    for existing in (None, deleted):
        with pytest.raises(DeploymentUnknown):
            restart(existing, ID, AT)


def test_a_rollback_goes_to_what_serves_and_from_that_to_what_served_before() -> None:
    first, _, _ = concluded(a_deployment(min_replicas=1))
    there = {each.instance_id: an_instance(each) for each in first.replicas}
    rolling, _, _ = concluded(changed(first, min_replicas=1, model="org/other"), there)
    there |= {each.instance_id: an_instance(each) for each in rolling.replicas}
    finished, _, _ = concluded(rolling, there, now=AT + timedelta(hours=1))
    assert (rolling.serving_revision, finished.serving_revision) == (1, 2)
    for deployment in (rolling, finished):
        assert rollback(deployment, ID, AT).wish.template == first.wish.template


def test_without_a_former_template_there_is_no_rollback() -> None:
    with pytest.raises(DeploymentRefused, match="nothing else was rolled out before"):
        rollback(concluded(a_deployment())[0], ID, AT)
