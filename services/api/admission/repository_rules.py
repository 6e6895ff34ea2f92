"""Whether a repository holds a model that any vLLM can load, by its files, its tags and its library."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.api.admission.serving_rules import quantization_of
from services.api.catalogue.hub.contents import CONFIG, Contents

_SAFE: Final = ".safetensors"
_WEIGHTS: Final = (_SAFE, ".bin", ".pt")
"""What vLLM loads, from the top folder only (`DefaultModelLoader`)."""
_NO_WEIGHTS: Final = frozenset({"training_args.bin", "optimizer.pt", "scheduler.pt", "optimizer.bin", "scheduler.bin"})
_ADAPTER: Final = ("adapter_config.json", "adapter_model.")
_OTHER_FORMATS: Final = {
    ".msgpack": "Flax",
    ".h5": "TensorFlow",
    ".onnx": "ONNX",
    ".nemo": "NeMo",
    ".ckpt": "checkpoints",
    ".pth": "PyTorch (.pth)",
    ".tflite": "TensorFlow Lite",
}
_SHARD: Final = re.compile(r"(.+)-[0-9]{5}-of-([0-9]{5})\.(safetensors|bin)")
_MISTRAL_CONFIG: Final = "params.json"
_DIFFUSERS: Final = "model_index.json"
_MLX: Final = "mlx"
_BASE: Final = "base_model:"
_SHOWN: Final = 3
_BYTES: Final = {"float32": 4, "float64": 8}
_LEAST_BYTES: Final = 0.5


def weights_in(contents: Contents) -> frozenset[str]:
    """The files that vLLM would load as weights."""
    return frozenset(
        name
        for name in contents.files
        if "/" not in name and name.endswith(_WEIGHTS) and name not in _NO_WEIGHTS and not name.startswith(_ADAPTER)
    )


@dataclass(frozen=True)
class StoredWeights:
    """As `Weights` in `fit`: the number of parameters, and the bytes that they take in the repository."""

    parameters: int | None = None
    weights_bytes: int | None = None


def weights_of(contents: Contents) -> StoredWeights:
    """As the hub counts them, or else by the sizes of the files; unknown if files of several kinds lie side by side.

    The parameters of quantized files are not known: vLLM loads them as they are.
    """
    if contents.parameters is not None and contents.weights_bytes is not None:
        return StoredWeights(contents.parameters, contents.weights_bytes)
    names = [name for name in weights_in(contents) if name.endswith(_SAFE)] or list(weights_in(contents))
    sizes = [contents.files[name] for name in names]
    kinds = {_SHARD.sub(r"\1", name) for name in names}
    if len(kinds) != 1 or None in sizes:
        return StoredWeights()
    stored = sum(size for size in sizes if size is not None)
    each = _LEAST_BYTES if quantization_of(contents.config) else _BYTES.get(str(_dtype(contents)), 2)
    return StoredWeights(int(stored / each), stored)


def _dtype(contents: Contents) -> Any:
    return contents.config.get("dtype", contents.config.get("torch_dtype"))


def unloadable(contents: Contents) -> str | None:
    """Why no vLLM can load it, with what to do; None if nothing speaks against it."""
    weights = weights_in(contents)
    return _incomplete(contents, weights) if weights else _without_weights(contents)


def _without_weights(contents: Contents) -> str:
    model, names = contents.model, contents.files.keys()
    if any(name.endswith(".gguf") for name in names):
        return f"{model} has its weights only as GGUF files, which are not served here. {_instead(contents)}"
    if _ADAPTER[0] in names:
        return f"{model} is an adapter (LoRA) and no whole model. {_instead(contents)}"
    if _DIFFUSERS in names:
        return f"{model} is a pipeline of the Diffusers library. Choose a language model."
    formats = sorted({said for ending, said in _OTHER_FORMATS.items() if any(name.endswith(ending) for name in names)})
    others = f", only {', '.join(formats)}" if formats else ""
    return f"{model} has no weights that vLLM loads (safetensors, .bin or .pt){others}. {_instead(contents)}"


def _incomplete(contents: Contents, weights: Collection[str]) -> str | None:
    model, names = contents.model, contents.files.keys()
    if missing := sorted(_missing(weights)):
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        shown = ", ".join(missing[:_SHOWN])
        return f"{model} lacks parts of its weights: {shown}{more}. Choose a revision that has them all."
    if CONFIG not in names and _MISTRAL_CONFIG not in names:
        return f"{model} has no {CONFIG}, so vLLM cannot tell what it is. Choose a repository that has one."
    if _MLX in (contents.library, *contents.tags) and "quantization" in contents.config:
        return f"{model} is quantized for MLX, on Apple's processors. {_instead(contents)}"
    return None


def _missing(weights: Collection[str]) -> Iterator[str]:
    """The shards that the names of the others tell of. With safetensors there, vLLM reads nothing else."""
    read = [name for name in weights if name.endswith(_SAFE)] or weights
    series = {shard.groups() for shard in map(_SHARD.fullmatch, read) if shard is not None}
    for stem, count, ending in series:
        shards = (f"{stem}-{number:05d}-of-{count}.{ending}" for number in range(1, int(count) + 1))
        yield from (name for name in shards if name not in weights)


def _instead(contents: Contents) -> str:
    """Launch the model that its tags name: `base_model:quantized:acme/model`, `base_model:acme/model`."""
    named = [tag.removeprefix(_BASE).rpartition(":")[2] for tag in contents.tags if tag.startswith(_BASE)]
    base = next((name for name in named if name != contents.model), None)
    return f"Launch {base} instead." if base else "Launch the model that it was made from."
