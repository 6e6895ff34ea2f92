"""Which files of a repository vLLM reads. Pure.

As vLLM's `download_weights_from_hf` chooses them: safetensors where there are any, else PyTorch's files; and beside
them what configures the model and its tokenizer, down to the code of `--trust-remote-code`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import PurePosixPath
from typing import Final

_BESIDE: Final = frozenset({".jinja", ".json", ".model", ".py", ".tiktoken", ".txt"})
_TOKENIZER: Final = "tokenizer.model"
"""Some tokenizers have a version behind it, as in `tokenizer.model.v3`."""
_WEIGHTS: Final = (".safetensors", ".bin", ".pt")
"""In the order in which vLLM looks for them."""
_OTHERS: Final = frozenset({"original", "onnx", "openvino", "coreml", "gguf", "metal"})
"""Folders with the same model for other programs."""
_OF_TRAINING: Final = frozenset({"training_args.bin", "optimizer.bin", "optimizer.pt", "scheduler.pt", "scaler.pt"})
_CONSOLIDATED: Final = "consolidated"
"""So begins the name of a file in Mistral's own format."""
_LOADERS: Final = frozenset({"auto", "hf", "safetensors", "fastsafetensors"})
_SAFE: Final = re.compile(r"[^\x00-\x1f\x7f/]{1,255}(?:/[^\x00-\x1f\x7f/]{1,255}){0,15}")


def read_by_vllm(paths: Collection[str]) -> tuple[str, ...]:
    """In the order of their names. None at all where vLLM finds no weights, or where a path is not one."""
    if not all(map(_is_path, paths)):
        return ()
    ours = sorted((path for path in paths if _OTHERS.isdisjoint(PurePosixPath(path).parts[:-1])), key=_folder)
    weights = [path for _, of_folder in groupby(ours, _folder) for path in _weights(of_folder)]
    if not any("/" not in path for path in weights):
        return ()
    return tuple(sorted({*weights, *filter(_is_beside, ours)}))


def in_two_formats(paths: Collection[str]) -> bool:
    """Whether the weights are there in Mistral's format besides: which one is read is up to vLLM's version."""
    names = [path for path in paths if path.endswith(".safetensors") and "/" not in path]
    return 0 < sum(name.startswith(_CONSOLIDATED) for name in names) < len(names)


def read_from_files(vllm_args: Sequence[str]) -> bool:
    """Whether vLLM, with these options, loads the files that `read_by_vllm` names; other loaders have their own."""
    given = dict(_options(vllm_args))
    return given.get("--load-format", "auto") in _LOADERS


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for argument, following in pairwise((*arguments, "")):
        name, equals, value = argument.partition("=")
        yield name, value if equals else following


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _weights(of_folder: Iterator[str]) -> Sequence[str]:
    paths = [path for path in of_folder if PurePosixPath(path).name not in _OF_TRAINING]
    found = next(
        (kind for suffix in _WEIGHTS if (kind := [path for path in paths if path.endswith(suffix)])), list[str]()
    )
    others = [path for path in found if not PurePosixPath(path).name.startswith(_CONSOLIDATED)]
    return others or found


def _is_beside(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix in _BESIDE or name.name.startswith(_TOKENIZER)


def _is_path(path: str) -> bool:
    """Below the repository's folder, and one line of text."""
    parts = path.split("/")
    return _SAFE.fullmatch(path) is not None and not {".", "..", ".git"} & set(parts)
