"""What a person reads of machines that go on when the stack does not."""

from coldstart.leaving import found_standing, goes_on, goes_on_unknown, simulation_pauses
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

READY = given(*h.a_ready_instance())
KEPT = given(*h.a_failed_start(keep=True))
REQUESTED = given(f.instance_requested())


def test_what_goes_on_is_named_with_its_price_and_the_way_to_end_it() -> None:
    first, ready, kept, how, until = goes_on([READY, KEPT], "Scaleway")
    assert first == "2 instances in Scaleway continue without this stack, 1.50 EUR an hour at list price:"
    assert ready == "  qwen  scaleway fr-par-2 L4-1-24G  ready  0.75 EUR an hour"
    assert kept == "  qwen  scaleway fr-par-2 L4-1-24G  kept for inspection  0.75 EUR an hour"
    assert "coldstart up, then coldstart instances terminate NAME" in how
    assert "work only while the stack runs" in until


def test_a_price_that_nobody_knows_is_not_left_out() -> None:
    unpriced = READY.model_copy(update={"hourly_price": None, "currency": None})
    assert goes_on([READY, unpriced], "Scaleway")[0].endswith("0.75 EUR an hour at list price, 1 at an unknown price:")
    assert goes_on([REQUESTED], "Scaleway")[0].startswith("1 instance in Scaleway continues without this stack")


def test_where_nothing_stands_that_is_said_too() -> None:
    assert goes_on([], "Scaleway") == ["No instance holds anything in Scaleway."]
    assert found_standing([]) == []


def test_what_stands_from_before_is_told_at_the_start() -> None:
    first, line = found_standing([READY])
    assert first == "standing   1 instance from before, 0.75 EUR an hour at list price"
    assert line.startswith("  qwen  scaleway")


def test_when_nobody_can_say_it_says_so_and_where_to_look() -> None:
    first, where = goes_on_unknown("no answer", "Scaleway")
    assert first == "Cannot tell what continues in Scaleway and costs money: no answer"
    assert "the tag `coldstart`" in where


def test_simulated_machines_stop_and_cost_nothing() -> None:
    assert simulation_pauses([READY, REQUESTED]) == [
        "1 instance of the simulated cloud stops with it, costs nothing, and starts again with the next stack."
    ]
    assert simulation_pauses([REQUESTED]) == []
