"""Whether the vLLM of a launch's image takes its options. Which version an image holds is known from its tag."""

from collections.abc import Iterator, Sequence
from typing import Final

from services.api.admission.vllm_args import given, positions
from services.api.admission.vllm_options import is_supported, options_of, supported
from services.api.refusals import FieldError
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion, version_in

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


def refused_options(wish: Wish, found: Findings, offered: Sequence[InstanceType]) -> Iterator[FieldError]:
    """An error for each option that vLLM, in any image that the worker may get, would refuse at its start.

    Whether a version that is not supported would refuse it, nobody knows.
    """
    versions = {supported_version(image) for image in images_of(wish, found, offered)}
    for version in sorted(version for version in versions if version is not None):
        yield from refused_by(version, wish.vllm_args)


def refused_by(version: VllmVersion, vllm_args: Sequence[str]) -> Iterator[FieldError]:
    """An error for each option that this version would refuse."""
    options = options_of(version)
    for at, name, value in positions(vllm_args):
        if problem := options.problem(name, value):
            yield FieldError(pointer=f"/vllm_args/{at}", detail=problem)


def supported_version(image: str | None) -> VllmVersion | None:
    """None if it is not known, or its rules are not."""
    version = None if image is None else version_in(image)
    return version if version is not None and is_supported(version) else None


def warnings(wish: Wish, found: Findings, offered: Sequence[InstanceType]) -> Iterator[str]:
    """What is worth knowing about the images that the worker may get."""
    for image in images_of(wish, found, offered):
        version = version_in(image)
        if version is not None:
            yield from _about(version, image, wish)
        else:
            options = " and takes these options" if wish.vllm_args else ""
            yield (
                f"Whether it serves this model{options} was not checked, because the tag of {image} names no version "
                f"of vLLM. Use a tag such as v{supported()[-1]}."
            )


def default_utilization(image: str | None) -> float:
    """The share of a GPU's memory that vLLM uses by itself; of an unknown version, the least of all supported ones."""
    version = None if image is None else version_in(image)
    shares = [options_of(one).default(_UTILIZATION) for one in (supported() if version is None else (version,))]
    return min(share for share in shares if share is not None)


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
