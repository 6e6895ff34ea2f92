"""Which container image a reference names, as Docker reads it, and whether its repository is allowed.

The grammar is that of https://github.com/distribution/reference: the part before the first slash is a registry only
if it looks like a host; otherwise the image is on Docker Hub.
"""

import re
from collections.abc import Collection
from typing import Final

_PART: Final = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_HOST: Final = re.compile(r"(?=.*[.:]|localhost$)[a-z0-9][a-z0-9.-]*(?::[0-9]{1,5})?")
_NAMED: Final = re.compile(
    r"(?P<name>[^@]+?)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?", re.ASCII
)
_DOCKER_HUB: Final = "docker.io"
_ALSO_DOCKER_HUB: Final = "index.docker.io"
_OFFICIAL: Final = "library"


def repository_of(image: str) -> str | None:
    """The repository with its registry, without tag or digest; None for an invalid image name.

    `vllm/vllm-openai:v0.32.0` → `docker.io/vllm/vllm-openai`.
    """
    named = _NAMED.fullmatch(image)
    if named is None:
        return None
    first, slash, rest = named["name"].partition("/")
    registry, path = (first, rest) if slash and _HOST.fullmatch(first) else (_DOCKER_HUB, named["name"])
    if not _PATH.fullmatch(path):
        return None
    if registry in (_DOCKER_HUB, _ALSO_DOCKER_HUB):
        registry, path = _DOCKER_HUB, path if "/" in path else f"{_OFFICIAL}/{path}"
    return f"{registry}/{path}"


def tag_of(image: str) -> str | None:
    """`vllm/vllm-openai:v0.32.0` → `v0.32.0`; None without a tag, and for an invalid image name."""
    named = _NAMED.fullmatch(image)
    return None if named is None else named["tag"]


def digest_of(image: str) -> str | None:
    """`acme/vllm@sha256:…` → `sha256:…`, which is the same image for ever; None if it is named without one."""
    named = _NAMED.fullmatch(image)
    return None if named is None else named["digest"]


def is_allowed(image: str, repositories: Collection[str]) -> bool:
    """Whether the image is of one of these repositories, each written as an image without a tag."""
    repository = repository_of(image)
    return repository is not None and repository in {repository_of(each) for each in repositories}


def is_repository(text: str) -> bool:
    """Whether this names a repository, without tag or digest."""
    named = _NAMED.fullmatch(text)
    return named is not None and named["name"] == text and repository_of(text) is not None
