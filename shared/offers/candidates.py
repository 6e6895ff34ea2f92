"""Which of the offered servers a wish may get: the one choice that admission, prices, warnings and creation share."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.lifecycle.wish import FailedPlace, Findings, Wish
from shared.offers.instance_types import InstanceType


@dataclass(frozen=True)
class Candidate:
    zone: str
    kind: InstanceType


def candidates(
    wish: Wish, found: Findings, offered: Sequence[InstanceType], zones: Sequence[str] = ()
) -> list[Candidate]:
    """Every zone and type that may become the server, the most wanted first. `zones`: any, where the wish names none.

    Named types: each where it is sold, in the wish's order. Their GPUs, memory and price were for their owner to
    decide, and for admission to refuse.

    Any type: those with GPUs that vLLM can use, that may hold the weights and the context and cost no more than they
    may. The cheapest come first, then zones with a shortage, then types of unknown memory if the weights are known to
    need some.

    Where replicas before it have failed is left out, unless nothing else is left.
    """
    sold = _sold(wish, found, offered, zones)
    return [one for one in sold if not any(_is_there(one, place) for place in found.avoid)] or sold


def types_of(chosen: Iterable[Candidate]) -> list[InstanceType]:
    """Each type once, in the order of the candidates."""
    return list({one.kind.name: one.kind for one in chosen}.values())


def _sold(wish: Wish, found: Findings, offered: Sequence[InstanceType], zones: Sequence[str]) -> list[Candidate]:
    places = wish.zones or tuple(zones) or tuple(dict.fromkeys(zone for kind in offered for zone in kind.zones))
    if wish.instance_types:
        named = {kind.name: kind for kind in offered}
        ordered = [(zone, named[name]) for zone in places for name in wish.instance_types if name in named]
        return [Candidate(zone, kind) for zone, kind in ordered if zone in kind.zones]
    by_price = sorted(offered, key=lambda kind: (kind.hourly_price is None, kind.hourly_price or 0.0, kind.name))
    fitting = [kind for kind in by_price if _will_do(kind, found)]
    sold = [Candidate(zone, kind) for kind in fitting for zone in places if zone in kind.zones]
    sold.sort(key=lambda one: one.kind.availability.get(one.zone) == "shortage")
    sold.sort(key=lambda one: found.gpu_memory_gb is not None and one.kind.all_gpu_memory_gb is None)
    return sold


def _will_do(kind: InstanceType, found: Findings) -> bool:
    highest, price = found.max_hourly_price, kind.hourly_price
    affordable = highest is None or price is None or price <= highest
    large_enough = kind.may_hold(found.gpu_memory_gb) and kind.name not in found.no_room
    return bool(kind.gpus) and kind.why_unusable is None and affordable and large_enough


def _is_there(one: Candidate, place: FailedPlace) -> bool:
    return place.zone in (None, one.zone) and place.instance_type in (None, one.kind.name)
