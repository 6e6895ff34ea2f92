from shared.eta.estimate import LAUNCHING
from shared.lifecycle.groups import GROUPS, StatusGroup, statuses_of
from shared.lifecycle.status import ENDING, FAILURES, GONE, PUT_AWAY, SERVING, Status


def test_every_status_is_in_a_group_and_no_group_is_empty() -> None:
    assert set(GROUPS) == set(Status)
    assert set(GROUPS.values()) == set(StatusGroup)


def test_the_groups_agree_with_what_the_laws_speak_of() -> None:
    assert set(statuses_of(StatusGroup.FAILED)) == FAILURES
    assert set(statuses_of(StatusGroup.LAUNCHING)) == LAUNCHING
    assert set(statuses_of(StatusGroup.GONE)) == GONE
    assert set(statuses_of(StatusGroup.FAILED, StatusGroup.ENDING, StatusGroup.GONE)) == ENDING


def test_what_serves_or_is_put_away_is_of_the_groups_that_one_expects() -> None:
    assert {GROUPS[status] for status in SERVING} == {StatusGroup.READY, StatusGroup.UNAVAILABLE, StatusGroup.ENDING}
    assert PUT_AWAY < GONE
