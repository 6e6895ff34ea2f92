"""Bandwidth is shared as max-min fairness says, and progress is continuous."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.host.transfers import Transfer, Transfers, fair_rates

NETWORK = {"network": 300.0, "disk": 1000.0}


def over_network(size: float, most: float = math.inf) -> Transfer:
    return Transfer(size, frozenset({"network"}), most)


def test_two_transfers_share_a_link_equally() -> None:
    first, second = over_network(3000.0), over_network(3000.0)
    assert fair_rates([first, second], NETWORK) == {first: 150.0, second: 150.0}


def test_what_a_slow_transfer_leaves_goes_to_the_others() -> None:
    slow, fast, other = over_network(1.0, most=60.0), over_network(1.0), over_network(1.0)
    assert fair_rates([slow, fast, other], NETWORK) == {slow: 60.0, fast: 120.0, other: 120.0}


def test_a_transfer_over_two_links_is_as_fast_as_the_fuller_one_lets_it() -> None:
    links = {"network": 300.0, "registry": 100.0}
    layers = [Transfer(1.0, frozenset({"network", "registry"})) for _ in range(2)]
    weights = over_network(1.0)
    assert fair_rates([*layers, weights], links) == {layers[0]: 50.0, layers[1]: 50.0, weights: 200.0}


def test_progress_is_continuous() -> None:
    transfers, transfer = Transfers(NETWORK), over_network(3000.0)
    transfers.begin(10.0, transfer)
    transfers.advance(14.0)
    assert (transfer.moved, transfer.over, transfer.seconds_left) == (1200.0, False, 6.0)
    transfers.advance(20.0)
    assert (transfer.moved, transfer.over) == (3000.0, True)


def test_one_that_ends_leaves_its_bandwidth_from_that_moment_on() -> None:
    """Nobody looks at the moment when the short one ends: 150 a second until second 2, 300 from then on."""
    transfers, short, long = Transfers(NETWORK), over_network(300.0), over_network(3000.0)
    transfers.begin(0.0, short)
    transfers.begin(0.0, long)
    transfers.advance(5.0)
    assert short.over
    assert long.moved == pytest.approx(2 * 150.0 + 3 * 300.0)


def test_one_that_begins_takes_its_share_from_that_moment_on() -> None:
    transfers, first, second = Transfers(NETWORK), over_network(3000.0), over_network(3000.0)
    transfers.begin(0.0, first)
    transfers.begin(4.0, second)
    transfers.advance(6.0)
    assert (first.moved, second.moved) == (1500.0, 300.0)


def test_one_that_is_given_up_leaves_its_bandwidth() -> None:
    transfers, first, second = Transfers(NETWORK), over_network(3000.0), over_network(3000.0)
    transfers.begin(0.0, first)
    transfers.begin(0.0, second)
    transfers.end(2.0, first)
    transfers.advance(4.0)
    assert (first.moved, second.moved) == (300.0, 900.0)


def test_nothing_to_move_is_over_at_once() -> None:
    transfers, nothing = Transfers(NETWORK), over_network(0.0)
    transfers.begin(0.0, nothing)
    assert nothing.over


def test_a_transfer_that_nothing_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a link"):
        Transfers(NETWORK).begin(0.0, Transfer(1.0, frozenset()))


def test_an_unknown_link_is_refused() -> None:
    with pytest.raises(KeyError):
        Transfers(NETWORK).begin(0.0, Transfer(1.0, frozenset({"fax"})))


LINKS = {"network": 300.0, "registry": 120.0, "disk": 500.0}
some_transfers = st.lists(
    st.builds(
        Transfer,
        size=st.floats(1.0, 1e6),
        links=st.frozensets(st.sampled_from(sorted(LINKS)), min_size=1),
        most=st.one_of(st.just(math.inf), st.floats(1.0, 400.0)),
    ),
    min_size=1,
    max_size=8,
)


@given(some_transfers)
def test_no_link_carries_more_than_it_can_and_each_transfer_is_held_up_by_something(transfers: list[Transfer]) -> None:
    """So nobody could be faster without another, who is not faster than it, becoming slower."""
    rates = fair_rates(transfers, LINKS)
    used = {link: sum(rate for transfer, rate in rates.items() if link in transfer.links) for link in LINKS}
    assert all(used[link] <= LINKS[link] * (1 + 1e-6) for link in LINKS)
    for transfer, rate in rates.items():
        fastest_on_a_full_link = any(
            used[link] >= LINKS[link] * (1 - 1e-6)
            and all(rate >= other * (1 - 1e-6) for each, other in rates.items() if link in each.links)
            for link in transfer.links
        )
        assert rate >= transfer.most * (1 - 1e-6) or fastest_on_a_full_link


@given(some_transfers, st.lists(st.floats(0.0, 100.0), max_size=5))
def test_looking_changes_nothing(transfers: list[Transfer], looks: list[float]) -> None:
    ends = []
    for moments in ([], sorted(looks)):
        running, mine = Transfers(LINKS), [Transfer(each.size, each.links, each.most) for each in transfers]
        for transfer in mine:
            running.begin(0.0, transfer)
        for moment in moments:
            running.advance(moment)
        running.advance(101.0)
        ends.append([transfer.moved for transfer in mine])
    assert ends[0] == pytest.approx(ends[1])
