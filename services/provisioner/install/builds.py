"""Which build of a vLLM image a machine needs, by its driver.

Versions of `vllm/vllm-openai` from 0.20.0 on are built for CUDA 13, with a build for CUDA 12.9 beside it whose tag ends
in `-cu129`; earlier ones are built for CUDA 12.9 (vLLM's release notes). CUDA 13 needs driver 580 or later, CUDA 12
needs 525 (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html). What NVIDIA's toolkit
starts is less: the images' NVIDIA_REQUIRE_CUDA asks for `cuda>=12.9`, which driver 575 is the first to have, or for one
of five earlier branches and a brand that is no GeForce and no TITAN (their drivers have no forward compatibility,
https://docs.nvidia.com/deploy/cuda-compatibility/forward-compatibility.html).
"""

import re
from typing import Final, NamedTuple

from shared.images import repository_of, tag_of
from shared.vllm_version import VllmVersion, version_in

CUDA_13_DRIVER: Final = 580
"""The least major version of NVIDIA's driver for images built for CUDA 13."""
CUDA_12_9_DRIVER: Final = 575
"""The least for images built for CUDA 12.9 that NVIDIA's toolkit starts with any GPU."""
EARLIER_DRIVERS: Final = (535, 550, 560, 565, 570)
"""The branches with which it starts them, too, unless the GPU is a GeForce or a TITAN."""
_CUDA_12_9_SINCE: Final = VllmVersion(0, 13, 0)
_CUDA_13_SINCE: Final = VllmVersion(0, 20, 0)
_OFFICIAL: Final = re.compile(r".+/vllm/vllm-openai")
"""Docker Hub's, or a mirror of it."""
_VERSION: Final = re.compile(r"v[0-9.]+(?P<build>(?:-[a-z0-9]+)?)")
_CUDA_12: Final = "-cu129"


def for_older_drivers(image: str) -> str | None:
    """The build of the same version that runs with drivers before 580; None if there is none, or it is not known.

    An image that names its build by a suffix or a digest is taken as it is.
    """
    official = _official(image)
    if official is None or official.build or official.version < _CUDA_13_SINCE:
        return None
    return f"{image}{_CUDA_12}"


def is_for_cuda_12_9(image: str) -> bool:
    """Whether it is known to be built for CUDA 12.9."""
    official = _official(image)
    if official is None:
        return False
    return official.build == _CUDA_12 or (not official.build and _CUDA_12_9_SINCE <= official.version < _CUDA_13_SINCE)


class _Official(NamedTuple):
    version: VllmVersion
    build: str
    """The tag's suffix."""


def _official(image: str) -> _Official | None:
    """None for an image of somebody else's, and for one that is named by its digest."""
    repository, tag, version = repository_of(image), tag_of(image), version_in(image)
    if repository is None or tag is None or version is None or "@" in image:
        return None
    named = _VERSION.fullmatch(tag)
    return _Official(version, named["build"]) if named and _OFFICIAL.fullmatch(repository) else None
