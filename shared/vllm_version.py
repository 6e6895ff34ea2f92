"""Versions of vLLM, as an image's tag and a worker's answer name them."""

import re
from typing import Final, NamedTuple, Self

from shared.images import repository_of, tag_of

_VERSION: Final = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)
_TAG: Final = re.compile(rf"{_VERSION.pattern}(?:(?:\.?(?:post|rc))[0-9]+)?(?:[-_][\w.-]+)?", re.ASCII)
_ANSWERED: Final = re.compile(rf"{_VERSION.pattern}(?![0-9])", re.ASCII)


class VllmVersion(NamedTuple):
    """A version of vLLM; post-releases and release candidates count as the version."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parsed(cls, text: str) -> Self:
        """`0.32.0` or `v0.32.0`. Raises ValueError."""
        numbers = _VERSION.fullmatch(text)
        if numbers is None:
            raise ValueError(f"{text!r} is no version of vLLM, such as 0.32.0")
        return cls(*map(int, numbers.groups()))

    @classmethod
    def answered(cls, text: str) -> Self | None:
        """As `GET /version` of a worker says it: `0.32.0`, `0.32.0+cpu`, `0.6.3.post1`; None if it is none."""
        numbers = _ANSWERED.match(text)
        return cls(*map(int, numbers.groups())) if numbers else None


def version_in(image: str) -> VllmVersion | None:
    """The version in the image's tag: `v0.32.0`, `0.32.0`, `v0.32.0-cu129`, `v0.14.0rc1`.

    None if the tag names none (`latest`, a digest alone) or the repository's name lacks "vllm": the tag of
    `acme/gateway:v1.2.3` says nothing about vLLM.
    """
    repository, tag = repository_of(image), tag_of(image)
    if repository is None or tag is None or "vllm" not in repository.partition("/")[2]:
        return None
    named = _TAG.fullmatch(tag)
    return VllmVersion(*map(int, named.groups())) if named else None
