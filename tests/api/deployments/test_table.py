"""Which deployments a request may expect a replica of, by the events so far."""

from datetime import datetime
from uuid import UUID

import pytest

from services.api.deployments.table import DeploymentTable
from services.api.deployments.waking import why_it_does_not_wake
from shared.deployments.deployment import Deployment
from shared.deployments.events import DeploymentEvent
from shared.deployments.wish import Turn
from tests.api.deployments import examples as x
from tests.api.deployments.examples import a_deployment, after
from tests.api.stage import MODEL

ACME, OTHERS = UUID(int=1), UUID(int=2)
OTHER_MODEL = "Qwen/Qwen2.5-7B-Instruct"


def table_of(*deployments: Deployment, at: datetime = x.AT) -> DeploymentTable:
    table = DeploymentTable(now=lambda: at)
    table.replace(deployments)
    return table


def waking(table: DeploymentTable, organization: UUID | None = None, model: str = MODEL) -> list[str]:
    """Those that may wake, of which the table tells the first."""
    found = [each for each in table.serving(model, organization) if why_it_does_not_wake(each, x.AT) is None]
    assert table.waking(model, organization) == next(iter(found), None)
    return [each.name for each in found]


def test_ones_own_wake_first_then_the_shared_ones_and_nobody_else_s_the_oldest_first() -> None:
    table = table_of(
        a_deployment("shared"),
        a_deployment("young", organization_id=ACME),
        a_deployment("old", organization_id=ACME, age_s=60),
        a_deployment("secret", organization_id=OTHERS),
        a_deployment("another", model=OTHER_MODEL),
    )
    assert waking(table, ACME) == ["old", "young", "shared"]
    assert waking(table) == ["shared"]
    assert waking(table, model=OTHER_MODEL) == ["another"]
    assert waking(table, model="nobody/nothing") == []


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ((), None),
        ((x.scaled(), x.added()), None),
        ((x.paused(),), "deployment_paused"),
        ((x.paused(), x.resumed()), None),
        ((x.deleted(),), "deployment_deleted"),
        ((x.degraded(gave_up=False),), None),
        ((x.degraded(gave_up=True),), "worker_exited"),
        ((x.scaled(), x.added(), x.refused()), "limit_reached"),
        ((x.scaled(2), x.added(), x.added(ordinal=1), x.refused()), None),
    ],
)
def test_it_is_said_why_one_does_not_wake(events: tuple[DeploymentEvent, ...], code: str | None) -> None:
    deployment = a_deployment("chat", *events)
    why = why_it_does_not_wake(deployment, x.AT)
    assert (why.code if why else None) == code
    assert waking(table_of(deployment)) == ([] if code else ["chat"])


def test_one_that_may_have_no_replicas_does_not_wake() -> None:
    why = why_it_does_not_wake(a_deployment(max_replicas=0), x.AT)
    assert why is not None
    assert why.code == "no_replicas_allowed"


def test_it_wakes_at_the_hours_at_which_its_schedule_allows_replicas() -> None:
    night = Turn(cron="0 20 * * *", min_replicas=0, max_replicas=0)
    day = Turn(cron="0 8 * * *", min_replicas=0, max_replicas=2)
    deployment = a_deployment(max_replicas=0, schedule=(night, day))
    at = x.AT
    table = DeploymentTable(now=lambda: at)
    table.replace([deployment])
    for hour, minute, wakes in ((7, 59, False), (8, 0, True), (19, 59, True), (20, 0, False)):
        at = x.AT.replace(hour=hour, minute=minute, second=30)
        assert bool(table.waking(MODEL, None)) is wakes


def test_a_name_is_of_its_organization_and_a_deleted_one_has_none_but_is_still_known() -> None:
    own, shared = a_deployment(organization_id=ACME), a_deployment()
    table = table_of(own, shared)
    assert table.named("chat", ACME) == own
    assert table.named("chat", None) == shared
    assert table.named("chat", OTHERS) is None
    table.apply(gone := after(own, x.deleted()))
    assert table.named("chat", ACME) is None
    assert table.of(own.id) == gone
    assert table.living == [shared]
    assert table.serving(MODEL, ACME) == [gone, shared]


def test_one_whose_rollout_of_another_model_was_halted_wakes_for_the_model_that_it_goes_on_serving() -> None:
    deployment = a_deployment()
    template = deployment.wish.template.model_copy(update={"model": OTHER_MODEL})
    rolling = after(
        deployment,
        x.changed(deployment.wish.model_copy(update={"template": template}), revision=2),
        x.rollout_started(2),
    )
    table = table_of(rolling)
    assert (waking(table), waking(table, model=OTHER_MODEL)) == ([], ["chat"])
    table.apply(after(rolling, x.rollout_halted(2)))
    assert (waking(table), waking(table, model=OTHER_MODEL)) == (["chat"], [])


def test_an_older_version_changes_nothing() -> None:
    now = after(a_deployment(), x.paused())
    table = table_of(now)
    assert not table.apply(a_deployment())
    assert not table.apply(now)
    assert table.of(now.id) == now


def test_whoever_waits_for_a_model_is_told_of_every_change_also_that_a_deployment_has_left_it() -> None:
    changed: list[str] = []
    table = table_of(deployment := a_deployment())
    table.on_change(changed.append)
    table.apply(paused := after(deployment, x.paused()))
    assert changed == [MODEL]
    changed.clear()
    template = deployment.wish.template.model_copy(update={"model": OTHER_MODEL})
    table.apply(after(paused, x.changed(deployment.wish.model_copy(update={"template": template}), revision=2)))
    assert sorted(changed) == sorted([MODEL, OTHER_MODEL])
    assert table.serving(MODEL, None) == []
    changed.clear()
    table.replace([])
    assert OTHER_MODEL in changed
    assert table.serving(OTHER_MODEL, None) == []
