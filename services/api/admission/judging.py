"""Judges a launch on every instance type that it may get."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from services.api.admission.splitting import splits_of
from services.api.admission.verdict import LaunchVerdict, verdict
from services.api.admission.vllm_images import certain_version, in_case, refused_by
from services.api.admission.vllm_options import is_supported
from services.api.catalogue.hub.client import HubFailure, HubUnreachable, RateLimited, Reply, TokenRefused
from services.api.catalogue.hub.contents import Contents, RevisionUnknown
from services.api.catalogue.hub.search import in_words
from services.api.catalogue.image_versions import ImageVersions
from services.api.refusals import FieldError
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType

_TYPES: Final = "/instance_types"


@dataclass(frozen=True)
class Judgement:
    """What is said of the launch, and its findings with what was found out here."""

    found: Findings
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()


def judged(
    reply: Reply, wish: Wish, found: Findings, offered: Sequence[InstanceType], versions: ImageVersions
) -> Judgement:
    """`reply`: the hub's, about the contents of the repository. Every type that the launch may get must do.

    Types without room are no error where any type would do, as long as another one has room.
    """
    match reply:
        case Contents():
            return _by_contents(reply, wish, found, offered, versions)
        case RevisionUnknown():
            detail = f"{wish.model} has no revision {wish.revision} on the hub. Name a branch, a tag or a commit of it."
            return Judgement(found, (FieldError(pointer="/revision", detail=detail),))
        case TokenRefused() | RateLimited() | HubUnreachable():
            return Judgement(found, warnings=(_unread(wish, reply),))
        case _:
            assert_never(reply)


def refused_again(
    instance: Instance, reply: Reply, offered: Sequence[InstanceType], versions: ImageVersions
) -> str | None:
    """Why vLLM, in the image that a reinstall would take, refuses the instance's options or model; None if it does not.

    The configured image may be a later one than that of the last attempt. Without the hub's answer the model counts as
    served. Its room is not judged again: the type stays, and the model has been on it.
    """
    wish = instance.specification
    configured = next((kind.image for kind in offered if kind.name == instance.instance_type), None)
    version = certain_version(wish.image or configured, versions)
    errors = [] if version is None else list(refused_by(version, wish.vllm_args))
    if isinstance(reply, Contents):
        errors += verdict(reply, wish, version, None, instance.findings).errors
    return " ".join(dict.fromkeys(error.detail for error in errors)) or None


def _by_contents(
    contents: Contents, wish: Wish, found: Findings, offered: Sequence[InstanceType], versions: ImageVersions
) -> Judgement:
    types = types_of(candidates(wish, found, offered))
    verdicts = [_on(kind, contents, wish, found, versions) for kind in types]
    no_room = {kind.name: one.no_room for kind, one in zip(types, verdicts, strict=True) if one.no_room is not None}
    verdicts = verdicts or [_on(None, contents, wish, found, versions)]
    errors = [error for one in verdicts for error in one.errors]
    if not errors and (wish.instance_types or len(no_room) == len(types)):
        errors += _without_room(wish, no_room)
    more = {
        "commit": contents.commit,
        "tensor_parallel_sizes": splits_of(contents.config),
        "no_room": tuple(no_room),
    }
    return Judgement(
        found.model_copy(update=more),
        tuple(dict.fromkeys(errors)),
        tuple(dict.fromkeys(warning for one in verdicts for warning in one.warnings)),
    )


def _on(
    kind: InstanceType | None, contents: Contents, wish: Wish, found: Findings, versions: ImageVersions
) -> LaunchVerdict:
    """By a version that the image may no longer hold, nothing is certain but what holds for every version."""
    image = wish.image or (kind.image if kind else None)
    known = versions.of(image)
    if image is None or known is None or not is_supported(known.version):
        return verdict(contents, wish, None, kind, found)
    likely = verdict(contents, wish, known.version, kind, found)
    if known.is_certain or not likely.errors:
        return likely
    certain = verdict(contents, wish, None, kind, found)
    if certain.errors:
        return certain
    doubts = (in_case(image, known.version) + error.detail for error in likely.errors)
    return LaunchVerdict(warnings=(*doubts, *certain.warnings), no_room=certain.no_room)


def _without_room(wish: Wish, no_room: Mapping[str, str]) -> Iterator[FieldError]:
    """For each named type; of any type, for the first, which is the cheapest."""
    for name, detail in no_room.items():
        if name in wish.instance_types:
            yield FieldError(pointer=f"{_TYPES}/{wish.instance_types.index(name)}", detail=detail)
    if not wish.instance_types and no_room:
        yield FieldError(pointer=_TYPES, detail=next(iter(no_room.values())))


def _unread(wish: Wish, failure: HubFailure) -> str:
    return f"What the repository of {wish.model} holds was not checked. {in_words(failure)}"
