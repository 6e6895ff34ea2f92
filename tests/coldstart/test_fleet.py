from datetime import timedelta
from uuid import UUID

from coldstart.fleet import Fleet, Member
from coldstart.stream_messages import StreamMessage
from shared.description import InstanceView
from shared.lifecycle.instance import Instance
from tests.coldstart.told import (
    BEGAN,
    FAILURE,
    ID,
    LAUNCH,
    OTHER_ID,
    a_view,
    an_estimate,
    an_eta,
    an_event,
    of_another,
)


def a_fleet(*told: StreamMessage, rows: tuple[InstanceView, ...] = (), only: set[UUID] | None = None) -> Fleet:
    fleet = Fleet(only)
    fleet.shown(rows, BEGAN)
    for one in told:
        fleet.take(one)
    return fleet


def the_one(fleet: Fleet) -> Member:
    (member,) = fleet.members
    return member


def test_a_row_and_an_event_tell_the_same_of_an_instance() -> None:
    snapshot = Instance.model_validate(LAUNCH[2].json["data"]["instance"])
    row = InstanceView.of(snapshot, LAUNCH[2].instance.as_of, eta=None)
    shown, told = the_one(a_fleet(rows=(row,))), the_one(a_fleet(LAUNCH[2]))
    assert shown.instance.model_dump(exclude={"eta"}) == told.instance.model_dump()
    assert (shown.since, shown.eta) == (told.since, told.eta)


def test_the_newest_counts_in_whatever_order_they_come() -> None:
    old = a_view("provisioning", "InstanceRequested", 5, version=1)
    assert the_one(a_fleet(LAUNCH[5], LAUNCH[3], rows=(old,))).instance.version == 6
    fleet = a_fleet(LAUNCH[5])
    fleet.shown([old], BEGAN)
    assert the_one(fleet).instance.version == 6


def test_what_is_told_again_brings_nothing() -> None:
    fleet = a_fleet()
    assert [fleet.take(event) for event in (LAUNCH[0], LAUNCH[0], LAUNCH[1], LAUNCH[0])] == [True, False] * 2


def test_a_row_of_the_same_version_brings_newer_figures() -> None:
    fleet = a_fleet(rows=(a_view(cost=1.0),))
    fleet.shown([a_view(cost=1.5)], BEGAN + timedelta(hours=1))
    assert the_one(fleet).spent_until(BEGAN + timedelta(hours=1)) == 1.5


def test_only_those_that_are_asked_for_are_kept() -> None:
    fleet = a_fleet(LAUNCH[0], of_another(OTHER_ID, LAUNCH[0]), only={UUID(OTHER_ID)})
    assert str(the_one(fleet).instance.id) == OTHER_ID
    assert (UUID(ID) in fleet, UUID(OTHER_ID) in fleet) == (False, True)


def test_the_time_in_a_step_is_that_in_its_words() -> None:
    assert the_one(a_fleet(*LAUNCH[2:4])).since == BEGAN + timedelta(seconds=4)
    assert the_one(a_fleet(*LAUNCH[2:5])).since == BEGAN + timedelta(seconds=9.5)


def test_a_step_that_is_taken_again_after_an_ending_begins_anew() -> None:
    again = an_event(3, "ReinstallRequested", "installing", 5, step="InstanceRequested", after=90)
    assert the_one(a_fleet(*FAILURE, again)).since == BEGAN + timedelta(seconds=90)


def test_the_cost_goes_on_while_the_server_is_on() -> None:
    on, off = (the_one(a_fleet(rows=(a_view(cost=1.0, server_on=on),))) for on in (True, False))
    later = BEGAN + timedelta(hours=2)
    assert (on.spent_until(later), off.spent_until(later)) == (2.5, 1.0)
    unpriced = the_one(a_fleet(rows=(a_view(hourly_price=None, server_on=True),)))
    assert unpriced.spent_until(later) is None


def test_an_estimate_lasts_until_there_is_nothing_to_wait_for() -> None:
    assert the_one(a_fleet(LAUNCH[0], an_estimate(125, 235), LAUNCH[1])).eta == an_eta(125, 235)
    assert the_one(a_fleet(*LAUNCH[:2], an_estimate(125, 235), LAUNCH[5])).eta is None
    assert the_one(a_fleet(LAUNCH[5], an_estimate(125, 235))).eta is None
    assert a_fleet(an_estimate(125, 235)).members == ()


def test_what_holds_a_launch_up_ends_its_estimate() -> None:
    delay = {"action": "install", "number": 1, "code": "waiting", "reason": "waits for apt", "next_try_at": BEGAN}
    delayed = an_event(2, "ActionDelayed", "installing", 55, step="SshInstallStarted", delay=delay)
    assert the_one(a_fleet(LAUNCH[0], an_estimate(125, 235), delayed, an_estimate(60, 90))).eta is None
