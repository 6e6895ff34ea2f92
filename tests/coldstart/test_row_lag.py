"""The lag between an event and its row, whichever of the two is heard of first."""

from nats.aio.client import Client
from nats.aio.msg import Msg

from coldstart.row_lag import RowLag


def event(sequence: int) -> Msg:
    return Msg(_client=Client(), subject="lifecycle.a.B", data=b"{}", headers={"Nats-Sequence": str(sequence)})


async def test_an_event_is_waited_for_until_its_row_is_announced() -> None:
    lag = RowLag()
    for sequence in (1, 2, 3):
        await lag.recorded(event(sequence))
    lag.projected(object(), 1, "projected", "2")
    assert lag.waiting == [3]


async def test_a_row_that_is_announced_before_its_event_is_heard_has_no_lag() -> None:
    lag = RowLag()
    lag.projected(object(), 1, "projected", "2")
    await lag.recorded(event(1))
    await lag.recorded(event(2))
    assert lag.waiting == []
    assert lag.percentile(99) == 0.0
