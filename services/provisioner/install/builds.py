"""Which build of a vLLM image a machine needs, by its driver.

Versions of `vllm/vllm-openai` from 0.20.0 on are built for CUDA 13, with a build for CUDA 12.9 beside it whose tag ends
in `-cu129`; earlier ones are built for CUDA 12.9 (vLLM's release notes). CUDA 13 needs driver 580 or later, CUDA 12
needs 525 (https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html). What NVIDIA's toolkit
starts is less: the images' NVIDIA_REQUIRE_CUDA names the branches of earlier drivers, and no GeForce.
"""

import re
from typing import Final

from shared.images import repository_of, tag_of
from shared.vllm_version import VllmVersion, version_in

CUDA_13_DRIVER: Final = 580
"""The least major version of NVIDIA's driver for images built for CUDA 13."""
_CUDA_13_SINCE: Final = VllmVersion(0, 20, 0)
_OFFICIAL: Final = re.compile(r".+/vllm/vllm-openai")
"""Docker Hub's, or a mirror of it."""
_VERSION: Final = re.compile(r"v[0-9.]+")
_CUDA_12: Final = "-cu129"


def for_older_drivers(image: str) -> str | None:
    """The build of the same version that runs with drivers before 580; None if there is none, or it is not known.

    An image that names its build by a suffix or a digest is taken as it is.
    """
    repository, tag, version = repository_of(image), tag_of(image), version_in(image)
    if repository is None or tag is None or version is None or "@" in image:
        return None
    of_version = _OFFICIAL.fullmatch(repository) and _VERSION.fullmatch(tag)
    return f"{image}{_CUDA_12}" if of_version and version >= _CUDA_13_SINCE else None
