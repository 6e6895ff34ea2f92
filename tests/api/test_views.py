from datetime import timedelta

from shared.description import InstanceView
from tests.lifecycle import facts as f
from tests.lifecycle.facts import AT, given


def test_an_instance_shows_since_when_it_is_as_far_as_it_is_and_whether_its_server_costs() -> None:
    later = AT + timedelta(minutes=3)
    created = given(f.instance_requested(), f.instance_created(occurred_at=later))
    started = given(f.instance_requested(), f.instance_created(), f.instance_started(occurred_at=later))
    stopped = given(f.instance_requested(), f.instance_created(), f.instance_started(), f.server_stopped())
    shown = [InstanceView.of(instance, later, eta=None) for instance in (created, started, stopped)]
    assert [view.step_since for view in shown] == [later, later, AT]
    assert [view.server_on for view in shown] == [False, True, False]
