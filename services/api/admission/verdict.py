"""Whether a launch can work, by what the model's repository holds: what vLLM would find out after it has started."""

from dataclasses import dataclass
from typing import Final

from services.api.admission.fit import gpus_asked
from services.api.admission.repository_rules import unloadable, weights_of
from services.api.admission.room import Need, room_on
from services.api.admission.serving_rules import doubts, unserved
from services.api.admission.vllm_images import default_utilization
from services.api.catalogue.hub.contents import Contents
from services.api.refusals import FieldError
from shared.lifecycle.wish import Findings, Wish
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion

_MODEL: Final = "/model"


@dataclass(frozen=True)
class LaunchVerdict:
    """`errors` are certain to fail, `warnings` likely to; without both nothing speaks against the launch.

    `no_room`: why this type has too few GPUs or cannot hold the context, with what to do. Another type may.
    """

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()
    no_room: str | None = None


def verdict(
    contents: Contents, wish: Wish, version: VllmVersion | None, kind: InstanceType | None, found: Findings
) -> LaunchVerdict:
    """By this version of vLLM, on this instance type; nothing follows from what is None, which is not known."""
    if (detail := unloadable(contents)) is not None:
        return LaunchVerdict((FieldError(pointer=_MODEL, detail=detail),))
    errors = () if version is None else tuple(unserved(contents, wish, version, trusted=found.trust_remote_code))
    warnings = () if version is None or errors else tuple(doubts(contents, wish, version))
    no_room, tight = (None, None) if kind is None or errors else _on(kind, contents, wish, version)
    return LaunchVerdict(errors, (*warnings, tight) if tight else warnings, no_room)


def _on(
    kind: InstanceType, contents: Contents, wish: Wish, version: VllmVersion | None
) -> tuple[str | None, str | None]:
    """Why the type has no room for the context, or hardly any. Nothing where no context would do: `fit` says that."""
    if kind.gpus and (asked := gpus_asked(wish.vllm_args)) > kind.gpus:
        few = (
            f"{kind.name} has {kind.gpus} GPU{'' if kind.gpus == 1 else 's'}, and the options of vLLM ask for {asked}."
        )
        if kind.is_rented:
            return f"{few} Lower them, or choose a type with more GPUs.", None
        return None, f"{kind.name}: {few} If it has more, write that into the list of machines."
    need = Need.of(contents.config, wish)
    room = None if need is None else room_on(kind, default_utilization(version), wish, weights_of(contents), need)
    if room is None or not room.tight or not room.longest:
        return None, None
    if room.impossible:
        return (
            f"{kind.name} has no room for a context of {room.context} tokens beside the weights of {contents.model}. "
            f"Say --max-model-len {room.longest}, or choose a type with more memory."
        ), None
    return None, (
        f"{kind.name}: a context of {room.context} tokens leaves hardly any room, so vLLM may not start. "
        f"--max-model-len {room.longest} is safer."
    )
