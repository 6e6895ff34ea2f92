"""Whether a model's weights fit the GPUs of an instance type, as far as this is known before vLLM loads them.

Only a launch whose weights alone exceed the memory is refused. One that most likely fails is accepted with a warning.
Weights are in 10⁹ bytes. The GPUs' memory is what their makers call it, and counts as 10⁹ bytes a GB: the driver keeps
some of it for itself (an L4 of 24 GB leaves 24.1 · 10⁹ bytes, an L40S of 48 GB 48.3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final, Protocol, Self

from services.api.admission.attention import Split
from services.api.admission.vllm_args import given
from services.api.admission.vllm_images import certain_version, default_utilization
from services.api.catalogue.image_versions import ImageVersions
from services.api.refusals import FieldError
from shared.lifecycle.wish import Findings, Wish
from shared.offers.candidates import candidates, types_of
from shared.offers.instance_types import InstanceType
from shared.worker_arguments import SPREADING, tensor_parallel_size

_GB: Final = 1e9
GIB_IN_GB: Final = 2**30 / _GB
_SUGGESTED: Final = 4
_SMALLER: Final = "Choose a smaller or a quantized model."
ROOM_GB: Final = 1.0
"""Per GPU. Less than this is hardly enough for activations, CUDA graphs and any KV cache."""
_LEAST_BYTES: Final = 0.5
"""The least size of a parameter, however vLLM quantizes it while loading: four bits."""
_SYSTEM_GB: Final = 30.0
"""About what the system and vLLM's image, unpacked, take of a boot volume."""


class Weights(Protocol):
    """What is known of a model's size; `Model` has it."""

    @property
    def parameters(self) -> int | None: ...
    @property
    def weights_bytes(self) -> int | None: ...


@dataclass(frozen=True)
class WeightsPlacement:
    """Where the weights go, by a request's vLLM options.

    `gpus`: the number of GPUs that share them; `split`: how those of one replica do; `offload_gb`: how much of each
    GPU's part stays in the host's memory; `utilization`: the share of a GPU's memory that vLLM uses, None for its own
    default; `quantizes`: they may become smaller; `wide`: every number takes four bytes.
    """

    gpus: int
    split: Split
    utilization: float | None
    offload_gb: float
    quantizes: bool
    wide: bool

    @classmethod
    def of(cls, vllm_args: Sequence[str], tensor: int = 1) -> Self:
        """`tensor`: how many GPUs share each layer, unless the options say it."""
        options = given(vllm_args)
        split = Split(
            int(options.get("--tensor-parallel-size", tensor)), int(options.get("--pipeline-parallel-size", "1"))
        )
        replicas = int(options.get("--data-parallel-size", "1")) if "--enable-expert-parallel" in options else 1
        utilization = options.get("--gpu-memory-utilization")
        return cls(
            gpus=split.tensor * split.pipeline * replicas,
            split=split,
            utilization=None if utilization is None else float(utilization),
            offload_gb=float(options.get("--cpu-offload-gb", 0)) * GIB_IN_GB,
            quantizes="--quantization" in options,
            wide=options.get("--dtype") in {"float", "float32"},
        )


def gpus_asked(vllm_args: Sequence[str]) -> int:
    """How many GPUs vLLM does not start without: as many as the options spread the model among, at least 1."""
    options = given(vllm_args)
    return prod(int(options.get(name, "1")) for name in SPREADING)


def loaded_gb(model: Weights, placement: WeightsPlacement) -> float | None:
    """The weights' size once loaded, without further quantization; None if unknown.

    vLLM loads numbers stored with four bytes as two, unless --dtype float32 is given.
    """
    stored, parameters = model.weights_bytes, model.parameters
    if stored is None or parameters is None:
        return None
    if not placement.wide:
        return min(stored, 2 * parameters) / _GB
    return (max(stored, 4 * parameters) if stored >= 2 * parameters else stored) / _GB


def least_gb(model: Weights, vllm_args: Sequence[str]) -> float | None:
    """The least memory that all GPUs together need for the weights; None if unknown.

    How much stays in the host's memory depends on the number of GPUs.
    """
    placement = WeightsPlacement.of(vllm_args)
    loaded = loaded_gb(model, placement)
    if loaded is None or model.parameters is None or placement.offload_gb:
        return None
    least = min(loaded, model.parameters * _LEAST_BYTES / _GB) if placement.quantizes else loaded
    return round(least, 3) or None


def download_bytes(model: Weights, vllm_args: Sequence[str]) -> int | None:
    """What the worker downloads of the weights at least; None if unknown. Other formats load other files, or none."""
    return None if "--load-format" in given(vllm_args) else model.weights_bytes or None


def misfits(wish: Wish, found: Findings, offered: Sequence[InstanceType]) -> Iterator[FieldError]:
    """Errors for named types that are too small, or for any type if all are. Named types must be offered."""
    least = found.gpu_memory_gb
    if least is None:
        return
    weights = f"the weights of {wish.model} take {least:.1f} GB at least"
    if not wish.instance_types:
        types = types_of(candidates(wish, Findings(), offered))
        if types and not any(kind.may_hold(least) for kind in types):
            largest = max(types, key=lambda kind: kind.all_gpu_memory_gb or 0.0)
            detail = f"{weights}; the largest type offered here is {largest.name} with {_memory(largest)}. {_SMALLER}"
            yield FieldError(pointer="/instance_types", detail=detail)
    by_name = {kind.name: kind for kind in offered}
    for at, name in enumerate(wish.instance_types):
        if not by_name[name].may_hold(least):
            detail = f"{weights}; {name} has {_memory(by_name[name])}. {_instead(wish, found, offered)}"
            yield FieldError(pointer=f"/instance_types/{at}", detail=detail)


def _instead(wish: Wish, found: Findings, offered: Sequence[InstanceType]) -> str:
    """What to do: the cheapest types that would do in the same zones, if there are any."""
    others = types_of(candidates(wish.model_copy(update={"instance_types": ()}), found, offered))
    return f"Choose {', '.join(kind.name for kind in others[:_SUGGESTED])}." if others else _SMALLER


def warnings(
    wish: Wish, found: Findings, weights: Weights, offered: Sequence[InstanceType], versions: ImageVersions
) -> Iterator[str]:
    """Warnings for each type that the instance may get and that is most likely too small."""
    for kind in types_of(candidates(wish, found, offered)):
        tensor = tensor_parallel_size(wish.vllm_args, found.tensor_parallel_sizes, kind.gpus)
        placement = WeightsPlacement.of(wish.vllm_args, tensor)
        loaded = loaded_gb(weights, placement)
        if loaded is None or kind.gpu_memory_gb is None or not kind.may_hold(found.gpu_memory_gb):
            continue
        used = min(placement.gpus, kind.gpus)
        share = placement.utilization or default_utilization(certain_version(wish.image or kind.image, versions))
        usable = used * share * kind.gpu_memory_gb
        left = usable + used * placement.offload_gb - loaded
        if left < used * ROOM_GB:
            part = f"{usable:.1f} GB ({used} × {share:.0%} of {kind.gpu_memory_gb:g} GB)"
            figures = f"{kind.name}: vLLM may use {part}, the weights take {loaded:.1f} GB"
            yield " ".join((f"{figures}: {_outlook(left)}.", *_remarks(kind, placement, used)))


def disk_warnings(wish: Wish, found: Findings, model: Weights, offered: Sequence[InstanceType]) -> Iterator[str]:
    """A warning if the weights do not fit the boot volume, where that is to keep them."""
    if model.weights_bytes is None:
        return
    weights = model.weights_bytes / _GB
    if weights + _SYSTEM_GB <= wish.volume_gb:
        return
    types = (kind for kind in types_of(candidates(wish, found, offered)) if kind.may_hold(found.gpu_memory_gb))
    if names := ", ".join(kind.name for kind in types if kind.is_rented and kind.scratch_gb is None):
        yield (
            f"{names}: the weights take {weights:.1f} GB of a boot volume of {wish.volume_gb} GB, and the system and "
            f"the image about {_SYSTEM_GB:g} GB: ask for a larger `volume_gb`."
        )


def _outlook(left_gb: float) -> str:
    if left_gb < 0:
        return "it will most likely not start; choose a type with more memory"
    return f"{left_gb:.1f} GB is left for all else, so it may not start, or serve short contexts only"


def _remarks(kind: InstanceType, placement: WeightsPlacement, used: int) -> Iterator[str]:
    if used < kind.gpus:
        yield f"It uses {used} of {kind.gpus} GPUs unless told otherwise by --tensor-parallel-size."
    if placement.offload_gb:
        yield f"That --cpu-offload-gb keeps {used * placement.offload_gb:.1f} GB in the host's memory is counted."
    if placement.quantizes:
        yield "What --quantization saves is not known and not counted."


def _memory(kind: InstanceType) -> str:
    """The type's memory must be known."""
    return f"{kind.all_gpu_memory_gb:g} GB ({kind.gpus} × {kind.gpu_memory_gb:g} GB)"
