"""How long a context an instance type has room for, beside the weights, and how many such requests at once.

The weights and the KV cache are what can be computed. What else vLLM needs (activations, CUDA graphs) is taken for
`ROOM_GB` on each GPU. A GB counts as 10⁹ bytes, though of some GPUs it has 2³⁰ (an H100 of 80 GB leaves 85.5 · 10⁹
bytes). So a launch is refused only if it has no room even without the former, and with the latter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Self

from services.api.admission.attention import Attention, attention_of
from services.api.admission.fit import GIB_IN_GB, ROOM_GB, Weights, WeightsPlacement, loaded_gb
from services.api.admission.serving_rules import length_in
from services.api.admission.splitting import splits_of
from services.api.admission.vllm_args import given
from shared.lifecycle.wish import Wish
from shared.offers.instance_types import InstanceType
from shared.worker_arguments import tensor_parallel_size

_GB: Final = 1e9
_STEP: Final = 1_024
_ONE_BYTE: Final = ("fp8", "int8")
_TWO_BYTES: Final = ("auto", "bfloat16", "float16", "half")
_DENSEST: Final = 0.5


@dataclass(frozen=True)
class Need:
    """What a request of `context` tokens keeps, in numbers of `number_bytes`; `splits` are those of the layers."""

    attention: Attention
    splits: tuple[int, ...]
    number_bytes: float
    context: int

    @classmethod
    def of(cls, config: Mapping[str, Any], wish: Wish) -> Self | None:
        """None if it is not known, or if nothing is kept: models that only make embeddings read a text once."""
        attention, asked = attention_of(config), length_in(wish.vllm_args)
        if attention is None or wish.task == "embed":
            return None
        context = asked[1] if asked else attention.context
        return None if context is None else cls(attention, splits_of(config), _number_bytes(config, wish), context)


@dataclass(frozen=True)
class Room:
    """On one instance type, in tokens. `longest`: the longest context that fits; 0 if none does.

    `at_once`: how many requests of the launch's context, or of the longest if that is shorter, fit at the same time.
    `impossible`: vLLM cannot start with this context.
    """

    context: int
    longest: int
    at_once: int
    impossible: bool

    @property
    def tight(self) -> bool:
        """Whether vLLM may not start with this context."""
        return self.longest < self.context


def room_on(kind: InstanceType, share: float, wish: Wish, weights: Weights, need: Need) -> Room | None:
    """None where memory or weights are not known. `share`: the part of a GPU's memory that vLLM uses by itself."""
    tensor = tensor_parallel_size(wish.vllm_args, need.splits, kind.gpus)
    placement = WeightsPlacement.of(wish.vllm_args, tensor)
    loaded = loaded_gb(weights, placement)
    if loaded is None or kind.gpu_memory_gb is None or placement.quantizes or placement.gpus > kind.gpus:
        return None
    split = placement.split
    usable = (placement.utilization or share) * kind.gpu_memory_gb + placement.offload_gb
    left = usable - loaded / placement.gpus
    most = usable * GIB_IN_GB - loaded / placement.gpus
    fits = need.attention.tokens_in((left - ROOM_GB) * _GB, split, need.number_bytes)
    longest = _rounded(min(fits, need.attention.longest or inf, max(need.context, need.attention.context or 0)))
    of_one = need.attention.cache_bytes(min(need.context, longest) or 1, split, need.number_bytes)
    return Room(
        context=need.context,
        longest=longest,
        at_once=int(max(left - ROOM_GB, 0.0) * _GB / of_one) if longest else 0,
        impossible=need.attention.cache_bytes(need.context, split, need.number_bytes) > most * _GB,
    )


def _rounded(tokens: float) -> int:
    """Down to a round number, unless that leaves nothing."""
    whole = int(tokens)
    return whole - whole % _STEP or whole


def _number_bytes(config: Mapping[str, Any], wish: Wish) -> float:
    """The size of a number in the cache; the least that is possible where nobody knows."""
    options = given(wish.vllm_args)
    kept = options.get("--kv-cache-dtype", "auto")
    if kept.startswith(_ONE_BYTE) or (kept == "auto" and _keeps_eight_bits(config)):
        return 1.0
    if kept not in _TWO_BYTES:
        return _DENSEST
    return 4.0 if kept == "auto" and options.get("--dtype") in {"float", "float32"} else 2.0


def _keeps_eight_bits(config: Mapping[str, Any]) -> bool:
    """Whether the weights come with the scales of a cache of eight bits."""
    described = config.get("quantization_config")
    return isinstance(described, Mapping) and bool(
        described.get("kv_cache_scheme") or described.get("kv_cache_quant_algo")
    )
