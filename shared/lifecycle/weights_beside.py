"""Weights are fetched while the image is pulled: which of the two the rest of the install waited for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from shared.lifecycle.events import WEIGHTS_PHASE
from shared.lifecycle.progress import LINKING_THE_WEIGHTS, phase_label
from shared.lifecycle.stretches import Stretch

FETCHED_FROM = "data_disk"
"""They are fetched from the end of this phase on, and waited for in a phase of their own."""
LINKED = "weights_linked"
"""The step after both, until the phase that waits for the weights has ended."""


def with_weights(
    stretches: Sequence[Stretch], fetched: Mapping[int, datetime | None], until: datetime
) -> list[Stretch]:
    """The same with the weights as a step of their own, beside the phases that ran meanwhile.

    `fetched`: when each try of the install that told of weights had them all, None: not by then. `until`: now, or the
    end of the launch.
    """
    tries = (list(group) for _, group in groupby(stretches, key=lambda each: each.install_try))
    return [stretch for one in tries for stretch in _of_a_try(one, fetched, until)]


def _of_a_try(phases: list[Stretch], fetched: Mapping[int, datetime | None], until: datetime) -> Iterator[Stretch]:
    number, names = phases[0].install_try, [phase.step for phase in phases]
    if number is None or number not in fetched or FETCHED_FROM not in names:
        return iter(phases)
    fork = names.index(FETCHED_FROM) + 1
    join = names.index(WEIGHTS_PHASE) if WEIGHTS_PHASE in names else len(phases)
    before, beside, after = phases[:fork], phases[fork:join], phases[join:]
    if not beside:
        return iter(phases)
    parallel = list(_beside(beside, fetched[number], until, after[:1]))
    rest = after[1:]
    if rest:
        rest[0] = replace(rest[0], after=(LINKED,) if parallel[-1].step == LINKED else (names[join - 1], WEIGHTS_PHASE))
    return iter([*before, *parallel, *rest])


def _beside(
    phases: Sequence[Stretch], all_fetched: datetime | None, until: datetime, waiting: Sequence[Stretch]
) -> Iterator[Stretch]:
    """The phases and the weights, and then what is left of the phase that was `waiting` for them, if it came."""
    last = phases[-1]
    closed = waiting[0].ended if waiting else last.ended
    weights = replace(
        phases[0],
        step=WEIGHTS_PHASE,
        label=phase_label(WEIGHTS_PHASE),
        ended=_earlier(max(all_fetched, phases[0].began) if all_fetched else None, closed),
    )
    pulled = last.ended or until
    there = weights.ended or until
    if there > pulled or (waiting and weights.ended is None):
        for phase in phases:
            phase.spare = there - pulled
    else:
        weights.spare = pulled - there
    yield from (*phases, weights)
    if waiting and weights.ended is not None:
        began = max(pulled, there)
        if began != closed:
            both = (last.step, WEIGHTS_PHASE)
            yield replace(waiting[0], step=LINKED, label=LINKING_THE_WEIGHTS, began=began, after=both)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None: not yet."""
    return min((moment for moment in (one, other) if moment is not None), default=None)
