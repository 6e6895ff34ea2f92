"""Whether the vLLM of a launch's image takes its options, and what else is worth knowing about that image."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from services.api.admission.vllm_args import given, positions
from services.api.admission.vllm_options import is_supported, options_of, supported
from services.api.catalogue.image_versions import ImageVersions
from services.api.refusals import FieldError
from shared.images import digest_of
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion

_HOLES: Final = {
    "CVE-2026-22807": VllmVersion(0, 14, 0),
    "CVE-2026-22778": VllmVersion(0, 14, 1),
    "CVE-2026-27893": VllmVersion(0, 18, 0),
}
"""Known holes by which a stranger's request or model runs code on a worker, with the version that closed each.

From https://github.com/vllm-project/vllm/security/advisories.
"""
_UTILIZATION: Final = "--gpu-memory-utilization"


def images_of(wish: Wish, found: Findings, offered: Sequence[InstanceType]) -> list[str]:
    """The images that the worker may get: the wish's, or those of the types that it may become."""
    if wish.image is not None:
        return [wish.image]
    types = types_of(candidates(wish, found, offered))
    return list(dict.fromkeys(kind.image for kind in types if kind.image is not None))


def refused_options(
    wish: Wish, found: Findings, offered: Sequence[InstanceType], versions: ImageVersions
) -> Iterator[FieldError]:
    """An error for each option that vLLM, in any image that the worker may get, would refuse at its start.

    Whether a version that is not supported would refuse it, nobody knows.
    """
    certain = {certain_version(image, versions) for image in images_of(wish, found, offered)}
    for version in sorted(version for version in certain if version is not None):
        yield from refused_by(version, wish.vllm_args)


def refused_by(version: VllmVersion, vllm_args: Sequence[str]) -> Iterator[FieldError]:
    """An error for each option that this version would refuse."""
    options = options_of(version)
    for at, name, value in positions(vllm_args):
        if problem := options.problem(name, value):
            yield FieldError(pointer=f"/vllm_args/{at}", detail=problem)


def certain_version(image: str | None, versions: ImageVersions) -> VllmVersion | None:
    """The supported version that the image holds for certain; None if it is not known, or its rules are not."""
    known = versions.of(image)
    return known.version if known is not None and known.is_certain and is_supported(known.version) else None


def warnings(wish: Wish, found: Findings, offered: Sequence[InstanceType], versions: ImageVersions) -> Iterator[str]:
    """What is worth knowing about the images that the worker may get."""
    for image in images_of(wish, found, offered):
        known = versions.of(image)
        if known is None:
            yield _unknown(image, wish)
        else:
            if known.seen_at is not None:
                yield _last_seen(image, known.version, known.seen_at)
                yield from (
                    f"{in_case(image, known.version)}{one.detail}" for one in refused_by(known.version, wish.vllm_args)
                )
            yield from _about(known.version, image, wish)


def in_case(image: str, version: VllmVersion) -> str:
    """The beginning of what is said of an image that may hold another version by now."""
    return f"If {image} still holds vLLM {version}: "


def default_utilization(version: VllmVersion | None) -> float:
    """The share of a GPU's memory that vLLM uses by itself; of an unknown version, the least of all supported ones."""
    shares = [options_of(one).default(_UTILIZATION) for one in (supported() if version is None else (version,))]
    return min(share for share in shares if share is not None)


def _unknown(image: str, wish: Wish) -> str:
    options = " and takes these options" if wish.vllm_args else ""
    instead = f"Use a tag such as v{supported()[-1]}."
    if digest_of(image):
        instead = "As soon as one is ready, launches of this digest are checked."
    return (
        f"Whether it serves this model{options} was not checked, because {image} names no version of vLLM, and no "
        f"worker of it has said it yet. {instead}"
    )


def _last_seen(image: str, version: VllmVersion, seen_at: datetime) -> str:
    return (
        f"{image} held vLLM {version} on {seen_at:%Y-%m-%d}, and was checked as that, but the tag may name another "
        f"version by now. Use a tag such as v{supported()[-1]}, or a digest."
    )


def _about(version: VllmVersion, image: str, wish: Wish) -> Iterator[str]:
    first, last = supported()[0], supported()[-1]
    if holes := [hole for hole, safe_from in _HOLES.items() if version < safe_from]:
        closed = max(_HOLES.values())
        yield f"{image}: vLLM {version} has known security holes ({', '.join(holes)}). Choose {closed} or later."
    if not is_supported(version):
        yield f"{image}: vLLM {version} is not supported: models and options are not checked. Use {first} to {last}."
    options = options_of(version)
    for name in given(wish.vllm_args):
        if options.is_deprecated(name):
            yield f"{name} is deprecated in vLLM {version}: a later version may refuse it."
