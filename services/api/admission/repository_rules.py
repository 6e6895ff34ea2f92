"""Whether a repository holds a model that any vLLM can load, by its files, its tags and its library."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.api.admission.serving_rules import quantization_in, quantization_of
from services.api.catalogue.hub.contents import CONFIG, Contents, Described

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
_LOADED_TAGS: Final = frozenset({"safetensors", "pytorch"})
_OTHER_TAGS: Final = {"jax": "Flax", "onnx": "ONNX", "tf": "TensorFlow"}
"""The hub tags a repository with the formats of its files."""
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


def unloadable_as_listed(listed: Described) -> str | None:
    """As `unloadable`, as far as the hub's search tells it: its tags name the formats of its weights."""
    if "architectures" not in listed.config:
        if "peft" in listed.config:
            return _adapter(listed)
        if "diffusers" in listed.config:
            return _diffusers(listed)
    if not _LOADED_TAGS.isdisjoint(listed.tags):
        quantized = quantization_in(listed.config)
        return _mlx(listed) if _is_mlx(listed) and quantized and "quant_method" not in quantized else None
    if "gguf" in listed.tags:
        return _gguf(listed)
    formats = [said for tag, said in _OTHER_TAGS.items() if tag in listed.tags]
    return _no_weights(listed, formats) if formats else None


def _without_weights(contents: Contents) -> str:
    names = contents.files.keys()
    if any(name.endswith(".gguf") for name in names):
        return _gguf(contents)
    if _ADAPTER[0] in names:
        return _adapter(contents)
    if _DIFFUSERS in names:
        return _diffusers(contents)
    formats = {said for ending, said in _OTHER_FORMATS.items() if any(name.endswith(ending) for name in names)}
    return _no_weights(contents, sorted(formats))


def _incomplete(contents: Contents, weights: Collection[str]) -> str | None:
    model, names = contents.model, contents.files.keys()
    if missing := sorted(_missing(weights)):
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        shown = ", ".join(missing[:_SHOWN])
        return f"{model} lacks parts of its weights: {shown}{more}. Choose a revision that has them all."
    if CONFIG not in names and _MISTRAL_CONFIG not in names:
        return f"{model} has no {CONFIG}, so vLLM cannot tell what it is. Choose a repository that has one."
    return _mlx(contents) if _is_mlx(contents) and "quantization" in contents.config else None


def _missing(weights: Collection[str]) -> Iterator[str]:
    """The shards that the names of the others tell of. With safetensors there, vLLM reads nothing else."""
    read = [name for name in weights if name.endswith(_SAFE)] or weights
    series = {shard.groups() for shard in map(_SHARD.fullmatch, read) if shard is not None}
    for stem, count, ending in series:
        shards = (f"{stem}-{number:05d}-of-{count}.{ending}" for number in range(1, int(count) + 1))
        yield from (name for name in shards if name not in weights)


def _is_mlx(described: Described) -> bool:
    return _MLX in (described.library, *described.tags)


def _gguf(described: Described) -> str:
    return f"{described.model} has its weights only as GGUF files, which are not served here. {_instead(described)}"


def _adapter(described: Described) -> str:
    return f"{described.model} is an adapter (LoRA) and no whole model. {_instead(described)}"


def _diffusers(described: Described) -> str:
    return f"{described.model} is a pipeline of the Diffusers library. Choose a language model."


def _mlx(described: Described) -> str:
    return f"{described.model} is quantized for MLX, on Apple's processors. {_instead(described)}"


def _no_weights(described: Described, formats: Collection[str]) -> str:
    others = f", only {', '.join(formats)}" if formats else ""
    return f"{described.model} has no weights that vLLM loads (safetensors, .bin or .pt){others}. {_instead(described)}"


def _instead(described: Described) -> str:
    """Launch the model that its tags name: `base_model:quantized:acme/model`, `base_model:acme/model`."""
    named = [tag.removeprefix(_BASE).rpartition(":")[2] for tag in described.tags if tag.startswith(_BASE)]
    base = next((name for name in named if name != described.model), None)
    return f"Launch {base} instead." if base else "Launch the model that it was made from."
