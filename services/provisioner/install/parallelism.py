"""Whether vLLM's options make a worker use several GPUs. By default it uses one, however many the machine has."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_SPREADING: Final = frozenset({"--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"})


def uses_several_gpus(vllm_args: Sequence[str]) -> bool:
    """Understands `--tensor-parallel-size 2` (two arguments) and `--tensor-parallel-size=2` (one)."""
    words = [word for argument in vllm_args for word in argument.split("=", 1)]
    return any(flag in _SPREADING and value != "1" for flag, value in pairwise(words))
