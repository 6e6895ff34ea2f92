import pytest

from coldstart.colours import painted
from shared.lifecycle.status import Status


def test_each_tone_has_a_colour_of_its_own() -> None:
    told = {str(painted(status).style) for status in Status}
    assert told == {"bright_black", "cyan", "green", "yellow", "red"}
    assert (painted("ready").plain, painted("ready").style) == ("ready", "green")


def test_a_status_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="dancing"):
        painted("dancing")
