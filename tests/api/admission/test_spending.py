"""What instances cost by the hour, from facts alone."""

from datetime import timedelta

import pytest

from services.api.admission.spending import Price, counted, expected, per_hour, price
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Findings
from shared.offers.instance_types import InstanceType
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

L4 = InstanceType(name="L4-1-24G", zones=("fr-par-1", "fr-par-2"), gpus=1, hourly_price=0.75, currency="EUR")
H100 = InstanceType(name="H100-1-80G", zones=("fr-par-2",), gpus=1, gpu_memory_gb=80, hourly_price=2.73, currency="EUR")
UNPRICED = InstanceType(name="FREE", zones=("fr-par-1",))
OFFERED = {"scaleway": (H100, L4, UNPRICED)}


@pytest.mark.parametrize(
    ("types", "zones", "amount"),
    [
        (("L4-1-24G",), (), 0.75),
        (("L4-1-24G", "H100-1-80G"), (), 2.73),
        (("L4-1-24G", "H100-1-80G"), ("fr-par-1",), 0.75),
        ((), (), 0.75),
        ((), ("fr-par-2",), 0.75),
        ((), ("pl-waw-1",), None),
        (("FREE", "L4-1-24G"), (), 0.75),
        (("FREE",), (), None),
        (("NO-SUCH",), (), None),
    ],
)
def test_of_named_types_the_dearest_is_expected_and_of_any_the_cheapest(
    types: tuple[str, ...], zones: tuple[str, ...], amount: float | None
) -> None:
    assert expected(f.a_specification(instance_types=types, zones=zones), Findings(), OFFERED) == (
        Price(amount, "EUR") if amount is not None else None
    )


@pytest.mark.parametrize(("left", "amount"), [(5.0, 2.73), (2.73, 2.73), (2.0, 0.75), (0.5, None)])
def test_of_any_type_the_dearest_is_expected_that_what_was_left_allows(left: float, amount: float | None) -> None:
    wish = f.a_specification(instance_types=(), zones=())
    assert expected(wish, Findings(max_hourly_price=left), OFFERED) == (
        Price(amount, "EUR") if amount is not None else None
    )


def test_a_type_that_cannot_hold_the_weights_or_has_no_gpu_is_not_what_any_means() -> None:
    small = L4.model_copy(update={"gpu_memory_gb": 24})
    bare = InstanceType(name="CPU", zones=("fr-par-1",), hourly_price=0.1, currency="EUR")
    wish = f.a_specification(instance_types=(), zones=())
    assert expected(wish, Findings(gpu_memory_gb=40.0), {"scaleway": (bare, small, H100)}) == Price(2.73, "EUR")


def test_nothing_is_expected_of_a_provider_that_has_told_nothing() -> None:
    assert expected(f.a_specification(provider="another"), Findings(), OFFERED) is None


FREE = {Status.TERMINATED, Status.ARCHIVED, Status.PROVISIONING_FAILED, Status.FAILED}


@pytest.mark.parametrize("status", Status)
def test_what_has_its_server_on_or_coming_costs(status: Status) -> None:
    """In these histories, a failed instance has lost its server, or its server was never on."""
    assert (price(given(*h.IN_STATUS[status]), OFFERED) is None) is (status in FREE)


def test_one_that_failed_and_is_kept_costs_until_its_server_is_gone() -> None:
    kept = given(*h.a_failed_start())
    assert kept.status is Status.STARTUP_FAILED
    assert price(kept, OFFERED) == Price(kept.hourly_price or 0, "EUR")
    released = given(*h.a_failed_start(), f.resources_released(occurred_at=kept.updated_at + timedelta(hours=1)))
    assert price(released, OFFERED) is None


def test_a_known_price_is_taken_before_an_expected_one() -> None:
    requested, created = f.instance_requested(), f.instance_created(hourly_price=0.5, currency="USD")
    assert price(given(requested), OFFERED) == Price(0.75, "EUR")
    assert price(given(requested, created), OFFERED) == Price(0.5, "USD")
    assert per_hour([given(requested), given(requested), given(requested, created)], OFFERED) == {
        "EUR": 1.5,
        "USD": 0.5,
    }


def test_failed_and_gone_ones_do_not_count() -> None:
    every = [given(*h.IN_STATUS[status]) for status in Status]
    assert counted(every) == len(Status) - 5
