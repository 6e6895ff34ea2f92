from coldstart.colours import painted
from shared.lifecycle.status import Status
from tests.coldstart.told import a_view


def test_each_tone_has_a_colour_of_its_own() -> None:
    told = {str(painted(a_view(status)).style) for status in Status}
    assert told == {"bright_black", "cyan", "green", "yellow", "red"}
    assert (painted(a_view("ready")).plain, painted(a_view("ready")).style) == ("ready", "green")
