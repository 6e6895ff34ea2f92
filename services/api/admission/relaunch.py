"""A failed launch once more: with the same wishes or, where the cause has an obvious mend, with that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.api.admission.intake import ANY, InstanceBody
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import FAILURES
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType

_OUT_OF_STOCK: Final = "out_of_stock"
_TOO_SMALL: Final = frozenset({"no_kv_cache_room", "out_of_gpu_memory"})
_MOST_TYPES: Final = 16
"""How many a request may name."""


@dataclass(frozen=True)
class Relaunch:
    """`mend`: what is asked for differently, and why; None if nothing is."""

    body: InstanceBody
    mend: str | None = None


def relaunch(failed: Instance, offered: Sequence[InstanceType]) -> Relaunch:
    """The request that launches it again; `offered` are its provider's types. Raises IntentRefused."""
    if failed.status not in FAILURES:
        raise IntentRefused("relaunch", f"the instance is {failed.status}; only a failed one can be relaunched.")
    wish, code = failed.specification, failed.error and failed.error.code
    body = _as_asked(wish)
    if code == _OUT_OF_STOCK and (wish.instance_types or wish.zones):
        mend = "What it was asked for is out of stock, so it may get any type that fits the model, in any zone."
        return Relaunch(body.model_copy(update={"instance_types": [ANY], "zones": []}), mend)
    if code in _TOO_SMALL and (larger := list(_larger(failed, offered))[:_MOST_TYPES]):
        mend = f"{failed.instance_type} is too small for it, so it may get a type with more GPU memory."
        return Relaunch(body.model_copy(update={"instance_types": larger}), mend)
    return Relaunch(body)


def _as_asked(wish: Wish) -> InstanceBody:
    """A wish has every field of a request, save whose it is."""
    asked = wish.model_dump(include=InstanceBody.model_fields.keys() - {"organization"})
    return InstanceBody.model_validate(asked | {"instance_types": wish.instance_types or [ANY]})


def _larger(failed: Instance, offered: Sequence[InstanceType]) -> Iterator[str]:
    """Types with more GPU memory in the same zones, the cheapest first."""
    memory = next((kind.all_gpu_memory_gb for kind in offered if kind.name == failed.instance_type), None)
    any_type = failed.specification.model_copy(update={"instance_types": ()})
    for kind in types_of(candidates(any_type, Findings(), offered)):
        if memory is not None and (kind.all_gpu_memory_gb or 0.0) > memory:
            yield kind.name
