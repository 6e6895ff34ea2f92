"""What is known of a GPU by its name: the compute capability, and whether vLLM can run on it."""

import re
from collections.abc import Mapping
from typing import Final

LEAST_COMPUTE_CAPABILITY: Final = 7.5
"""The least for vLLM's images: PyTorch's builds for CUDA 12.8, and CUDA 13 itself, leave out older GPUs."""

_COMPUTE_CAPABILITY: Final[Mapping[str, float]] = {
    **dict.fromkeys(("K40", "K80"), 3.7),
    **dict.fromkeys(("M40", "M60"), 5.2),
    "P100": 6.0,
    **dict.fromkeys(("P4", "P40", "1080", "TITANX"), 6.1),
    **dict.fromkeys(("V100", "TITANV"), 7.0),
    **dict.fromkeys(("T4", "2080"), 7.5),
    **dict.fromkeys(("A30", "A100"), 8.0),
    **dict.fromkeys(("A2", "A10", "A16", "A40", "A4000", "A5000", "A6000", "3090"), 8.6),
    **dict.fromkeys(("L4", "L40", "L40S", "4090"), 8.9),
    **dict.fromkeys(("H100", "H200", "GH200"), 9.0),
    **dict.fromkeys(("B200", "GB200"), 10.0),
    **dict.fromkeys(("B300", "GB300"), 10.3),
    "5090": 12.0,
}
"""By a word of the name; https://developer.nvidia.com/cuda/gpus and .../cuda/gpus/legacy."""


def compute_capability(gpu: str | None) -> float | None:
    """Of a GPU such as `H100-PCIe` or `NVIDIA RTX 4090`; None for one that is not in the table."""
    words = re.split(r"[^A-Z0-9]+", (gpu or "").upper())
    return next((_COMPUTE_CAPABILITY[word] for word in words if word in _COMPUTE_CAPABILITY), None)


def why_unusable(gpu: str | None) -> str | None:
    """Why vLLM cannot run on this GPU, as the end of a sentence; None if it can, or if nobody knows."""
    capability = compute_capability(gpu)
    if capability is None or capability >= LEAST_COMPUTE_CAPABILITY:
        return None
    return f"its {gpu} has compute capability {capability}, and vLLM needs {LEAST_COMPUTE_CAPABILITY} or more"
