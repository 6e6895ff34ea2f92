"""A failed launch once more: with the same wishes or, where the cause has an obvious mend, with that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.api.admission.launch_body import ANY, InstanceBody
from services.api.admission.repository_rules import weights_of
from services.api.admission.room import Need, room_on
from services.api.admission.serving_rules import LENGTH, length_in
from services.api.admission.vllm_args import with_value
from services.api.admission.vllm_images import certain_version, default_utilization
from services.api.catalogue.hub.client import Reply
from services.api.catalogue.hub.contents import Contents
from services.api.catalogue.image_versions import ImageVersions
from shared.lifecycle.errors import IntentRefused
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import FAILURES
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType

_OUT_OF_STOCK: Final = "out_of_stock"
_TOO_SMALL: Final = frozenset({"no_kv_cache_room", "out_of_gpu_memory"})
_TOO_LONG: Final = "context_too_long"
_STEP: Final = 1_024
"""A context is lowered to a multiple of this, since memory differs a little from start to start, and never below."""
_MOST_TYPES: Final = 16
"""How many a request may name."""


@dataclass(frozen=True)
class Relaunch:
    """`mend`: what is asked for differently, and why; None if nothing is."""

    body: InstanceBody
    mend: str | None = None


def may_need_room(failed: Instance) -> bool:
    """Whether `relaunch` may need to know the context for which there is room: the worker has not said it."""
    return failed.error is not None and failed.error.code in _TOO_SMALL and failed.longest_context is None


def room_of(failed: Instance, reply: Reply, offered: Sequence[InstanceType], versions: ImageVersions) -> int | None:
    """The longest context for which its type has room, in tokens; None if it asked for no more, or nobody knows."""
    wish, kind = failed.specification, next((one for one in offered if one.name == failed.instance_type), None)
    need = Need.of(reply.config, wish) if isinstance(reply, Contents) else None
    if kind is None or need is None or not isinstance(reply, Contents):
        return None
    share = default_utilization(certain_version(failed.install.image or wish.image or kind.image, versions))
    room = room_on(kind, share, wish, weights_of(reply), need)
    return room.longest or None if room is not None and room.tight else None


def relaunch(failed: Instance, offered: Sequence[InstanceType], room: int | None = None) -> Relaunch:
    """The request that launches it again; `offered` are its provider's types. Raises IntentRefused.

    `room`: as `room_of` says it.
    """
    if failed.status not in FAILURES:
        raise IntentRefused("relaunch", f"the instance is {failed.status}; only a failed one can be relaunched.")
    wish, code = failed.specification, failed.error and failed.error.code
    body = _as_asked(wish)
    if code == _OUT_OF_STOCK and (wish.instance_types or wish.zones):
        mend = "What it was asked for is out of stock, so it may get any type that fits the model, in any zone."
        return Relaunch(body.model_copy(update={"instance_types": [ANY], "zones": []}), mend)
    longest = failed.longest_context or room
    if longest is not None and code == _TOO_LONG:
        return _shorter(body, longest, f"{wish.model} has a context of {longest} tokens at most")
    if longest is not None and code in _TOO_SMALL and longest >= _STEP:
        longest -= longest % _STEP
        shorter = _shorter(body, longest, f"{failed.instance_type} has room for a context of {longest} tokens")
        if shorter.mend:
            return shorter
    if code in _TOO_SMALL and (larger := list(_larger(failed, offered))[:_MOST_TYPES]):
        mend = f"{failed.instance_type} is too small for it, so it may get a type with more GPU memory."
        return Relaunch(body.model_copy(update={"instance_types": larger}), mend)
    return Relaunch(body)


def _as_asked(wish: Wish) -> InstanceBody:
    """A wish has every field of a request, save whose it is."""
    asked = wish.model_dump(include=InstanceBody.model_fields.keys() - {"organization"})
    return InstanceBody.model_validate(asked | {"instance_types": wish.instance_types or [ANY]})


def _shorter(body: InstanceBody, longest: int, why: str) -> Relaunch:
    """With so long a context, unless it is no longer already."""
    asked = length_in(body.vllm_args)
    if asked is not None and asked[1] <= longest:
        return Relaunch(body)
    arguments = list(with_value(body.vllm_args, LENGTH, str(longest)))
    return Relaunch(
        body.model_copy(update={"vllm_args": arguments}), f"{why}, so it asks for no more ({LENGTH} {longest})."
    )


def _larger(failed: Instance, offered: Sequence[InstanceType]) -> Iterator[str]:
    """Types with more GPU memory in the same zones, the cheapest first."""
    memory = next((kind.all_gpu_memory_gb for kind in offered if kind.name == failed.instance_type), None)
    any_type = failed.specification.model_copy(update={"instance_types": ()})
    for kind in types_of(candidates(any_type, Findings(), offered)):
        if memory is not None and (kind.all_gpu_memory_gb or 0.0) > memory:
            yield kind.name
