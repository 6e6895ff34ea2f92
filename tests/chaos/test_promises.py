from dataclasses import replace

import pytest

from shared.journal.recorded import Recorded
from tests.chaos.promises import histories
from tests.lifecycle import facts as f
from tests.progress.read_model import recorded

ID = str(f.INSTANCE_ID)
READY = (
    f.instance_requested(),
    f.instance_created(),
    f.instance_started(),
    f.ip_assigned(),
    f.ssh_reachable(),
    f.ssh_install_completed(),
    f.health_passed(),
    f.instance_ready(),
)
ENDED = recorded((*READY, f.termination_requested(), f.server_deleted(), f.instance_terminated()))
FAILED = recorded((*READY, f.instance_failed(), f.server_deleted(), f.resources_released()))


def test_a_launch_that_was_used_and_ended_keeps_every_promise() -> None:
    assert histories(ENDED, [ID], set()) == []


def test_only_an_instance_whose_machine_was_taken_away_may_fail() -> None:
    assert histories(FAILED, [ID], {ID}) == []
    (said,) = histories(FAILED, [ID], set())
    assert said.startswith(f"{ID}: it failed")


@pytest.mark.parametrize(
    ("events", "launched", "said"),
    [
        ([], [ID], "was accepted, and is not in the stream"),
        (ENDED, [ID, ID], "is in the stream twice over"),
        (ENDED[:-1], [ID], "it ended as terminating"),
        (ENDED[:2] + ENDED[3:], [ID], "its versions are"),
        ([*ENDED[:1], *ENDED[:1], *ENDED[1:]], [ID], "an event is recorded twice"),
        (recorded(READY), [ID], "it holds resources"),
    ],
)
def test_what_is_lost_doubled_or_left_is_said(events: list[Recorded], launched: list[str], said: str) -> None:
    assert any(said in each for each in histories(events, launched, set()))


def test_a_milestone_that_came_twice_is_said() -> None:
    again = [replace(each, id=f.INSTANCE_ID) for each in ENDED if type(each.event).__name__ == "SshReachable"]
    assert f"{ID}: SshReachable 2 times" in histories([*ENDED, *again], [ID], set())
