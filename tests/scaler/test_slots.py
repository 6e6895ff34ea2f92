"""The load by slots of five minutes."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.scaler.slots import Slot, SlotFigures, Slots

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
ONE, OTHER = uuid4(), uuid4()


def test_a_slot_has_the_means_of_its_periods_and_the_highest_peak() -> None:
    slots = Slots()
    slots.add(AT, {ONE: SlotFigures(mean=2, peak=3, in_flight=2, ready=1)})
    slots.add(AT + timedelta(minutes=2), {ONE: SlotFigures(mean=6, peak=9, held=4, arriving_per_s=2, ready=2)})
    slots.add(AT + timedelta(minutes=4), {ONE: SlotFigures(mean=4, peak=4, in_flight=1, held=2, arriving_per_s=1)})
    finished = slots.add(AT + timedelta(minutes=5), {})
    figures = SlotFigures(mean=4, peak=9, in_flight=1, held=2, arriving_per_s=1, ready=1)
    assert finished == [(ONE, Slot(AT, figures))]


def test_who_had_something_to_tell_in_a_part_of_it_had_nothing_in_the_rest() -> None:
    slots = Slots()
    slots.add(AT, {ONE: SlotFigures(mean=2, peak=2)})
    slots.add(AT + timedelta(minutes=2), {OTHER: SlotFigures(ready=1)})
    finished = dict(slots.add(AT + timedelta(minutes=5), {}))
    assert finished == {ONE: Slot(AT, SlotFigures(mean=1, peak=2)), OTHER: Slot(AT, SlotFigures(ready=0.5))}


def test_each_slot_ends_once() -> None:
    slots = Slots()
    slots.add(AT, {ONE: SlotFigures(mean=2)})
    assert slots.add(AT + timedelta(minutes=5), {})
    assert slots.add(AT + timedelta(minutes=10), {}) == []
