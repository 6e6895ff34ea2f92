"""The one choice of offers that admission, fit, spending and creation share, in each case where it could differ."""

from typing import Any, Final

import pytest

from services.api.admission.fit import misfits, warnings
from services.api.admission.spending import Price, expected
from services.api.catalogue.image_versions import ImageVersions
from services.provisioner.actions.create import choices
from shared.lifecycle.wish import FailedPlace, Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType


def offer(name: str, price: float | None, *zones: str, gpus: int = 1, memory: float | None = 24.0) -> InstanceType:
    return InstanceType(name=name, zones=zones, gpus=gpus, gpu_memory_gb=memory, hourly_price=price, currency="EUR")


CPU: Final = offer("cpu", 0.1, "a", gpus=0, memory=None)
SMALL: Final = offer("small", 0.5, "a", "b")
LARGE: Final = offer("large", 3.0, "b", memory=80.0)
BOX: Final = offer("box", None, "a", memory=None)
OLD: Final = offer("old", 0.2, "a", memory=16.0).model_copy(update={"gpu": "P100"})
OFFERED: Final = (BOX, LARGE, SMALL, CPU, OLD)


def wish(*types: str, zones: tuple[str, ...] = ()) -> Wish:
    return Wish(name="qwen", model="a/b", instance_types=types, zones=zones)


def chosen(wanted: Wish, zones: tuple[str, ...] = (), **found: Any) -> list[tuple[str, str]]:
    return [(one.zone, one.kind.name) for one in candidates(wanted, Findings(**found), OFFERED, zones)]


def test_any_type_means_those_with_gpus() -> None:
    assert chosen(wish()) == [("a", "small"), ("b", "small"), ("b", "large"), ("a", "box")]


def test_any_type_is_never_one_that_vllm_cannot_use_however_cheap_it_is() -> None:
    assert "old" not in {name for _, name in chosen(wish())}
    assert candidates(wish(zones=("a",)), Findings(), (OLD,)) == []


def test_where_only_types_without_gpus_are_sold_any_type_means_none() -> None:
    assert candidates(wish(zones=("a",)), Findings(), (CPU,)) == []


def test_a_named_type_without_gpus_is_what_its_owner_named() -> None:
    assert chosen(wish("cpu")) == [("a", "cpu")]
    assert expected(wish("cpu"), Findings(), {"scaleway": OFFERED}) == Price(0.1, "EUR")


def test_a_named_type_counts_only_where_it_is_sold() -> None:
    assert chosen(wish("large", "small", zones=("a", "b"))) == [("a", "small"), ("b", "large"), ("b", "small")]
    assert chosen(wish("large", zones=("a",))) == []
    assert expected(wish("large", zones=("a",)), Findings(), {"scaleway": OFFERED}) is None


def test_an_order_tries_a_named_type_also_where_nobody_says_that_it_is_sold() -> None:
    """A list of offers may be old, or not be known at all: the provider has the last word."""
    assert choices(wish("large", "new", zones=("a",)), Findings(), (), OFFERED) == [("a", "large"), ("a", "new")]


@pytest.mark.parametrize(("least", "named"), [(24.0, "small"), (80.0, "large")])
def test_any_type_means_those_that_may_hold_the_weights_and_of_unknown_memory_last(least: float, named: str) -> None:
    first, *_, last = chosen(wish(), gpu_memory_gb=least)
    assert (first[1], last) == (named, ("a", "box"))


def test_a_named_type_is_chosen_whatever_the_weights_need_and_refused_by_admission() -> None:
    found = Findings(gpu_memory_gb=48.0)
    assert chosen(wish("small"), gpu_memory_gb=48.0) == [("a", "small"), ("b", "small")]
    assert [error.pointer for error in misfits(wish("small"), found, OFFERED)] == ["/instance_types/0"]


def test_any_type_means_none_that_costs_more_than_it_may_and_one_without_a_price_all_the_same() -> None:
    assert chosen(wish(), max_hourly_price=2.99) == [("a", "small"), ("b", "small"), ("a", "box")]


def test_the_price_of_a_named_type_is_not_held_against_it() -> None:
    """Admission has judged the dearest one; what was left then is only what any type may cost."""
    assert chosen(wish("large"), max_hourly_price=0.1) == [("b", "large")]


def test_zones_that_the_provider_uses_stand_in_where_none_is_named() -> None:
    assert chosen(wish(), zones=("b",)) == [("b", "small"), ("b", "large")]
    assert chosen(wish(zones=("a",)), zones=("b",)) == [("a", "small"), ("a", "box")]


@pytest.mark.parametrize("wanted", [wish(), wish("small", "large"), wish(zones=("a",)), wish("box", "cpu")])
@pytest.mark.parametrize("least", [None, 48.0])
def test_what_is_priced_and_warned_of_is_what_may_be_ordered(wanted: Wish, least: float | None) -> None:
    found = Findings(gpu_memory_gb=least)
    may_be_ordered = types_of(candidates(wanted, found, OFFERED))
    ordered = {name for _, name in choices(wanted, found, ("a", "b"), OFFERED)}
    assert {kind.name for kind in may_be_ordered} <= ordered
    prices = [kind.hourly_price for kind in may_be_ordered if kind.hourly_price is not None]
    price = expected(wanted, found, {"scaleway": OFFERED})
    assert price == (Price((max if wanted.instance_types else min)(prices), "EUR") if prices else None)
    for warning in warnings(wanted, found, _Weights(47_000_000_000), OFFERED, ImageVersions()):
        assert warning.partition(":")[0] in {kind.name for kind in may_be_ordered}


class _Weights:
    def __init__(self, weights_bytes: int) -> None:
        self.weights_bytes: int | None = weights_bytes
        self.parameters: int | None = weights_bytes // 2


def test_where_replicas_before_it_have_failed_is_left_out_as_long_as_anything_is_left() -> None:
    pair = FailedPlace(zone="b", instance_type="small")
    assert chosen(wish(), avoid=(pair,)) == [("a", "small"), ("b", "large"), ("a", "box")]
    assert chosen(wish(), avoid=(FailedPlace(zone="a"),)) == [("b", "small"), ("b", "large")]
    assert chosen(wish("small", "large"), avoid=(FailedPlace(instance_type="small"),)) == [("b", "large")]
    assert chosen(wish("small", zones=("b",)), avoid=(pair,)) == [("b", "small")]
