"""The options of a worker's vLLM: those that follow from its machine and from admission, and then the request's."""

from collections.abc import Sequence
from typing import Final

from shared.lifecycle.wish import Findings, Wish

SPREADING: Final = ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size")
"""By these a request says among how many GPUs the model is spread: their values are multiplied."""


def worker_arguments(wish: Wish, found: Findings, gpus: int) -> tuple[str, ...]:
    """On a machine with so many GPUs; 0: their number is not known."""
    size = tensor_parallel_size(wish.vllm_args, found.tensor_parallel_sizes, gpus)
    split = ("--tensor-parallel-size", str(size)) if size > 1 else ()
    trust = ("--trust-remote-code",) if found.trust_remote_code else ()
    return (*split, *trust, *wish.vllm_args)


def tensor_parallel_size(vllm_args: Sequence[str], sizes: Sequence[int], gpus: int) -> int:
    """How many GPUs share each layer: as many as there are, of the `sizes` that the model allows.

    1, as in vLLM, if they are not known, or if the request says how the model is spread.
    """
    if any(argument.partition("=")[0] in SPREADING for argument in vllm_args):
        return 1
    return max((size for size in sizes if size <= gpus), default=1)
