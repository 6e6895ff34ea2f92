from shared.lifecycle.status import FAILURES, STARTING_UP, Status
from shared.lifecycle.tone import TONES, Tone


def test_every_status_has_a_tone() -> None:
    assert set(TONES) == set(Status)


def test_only_failures_look_bad_and_only_ready_looks_good() -> None:
    assert {status for status, tone in TONES.items() if tone is Tone.BAD} == FAILURES
    assert {status for status, tone in TONES.items() if tone is Tone.GOOD} == {Status.READY}
    assert {status for status, tone in TONES.items() if tone is Tone.PROGRESS} == STARTING_UP | {Status.PROVISIONING}
