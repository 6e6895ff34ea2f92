"""Whether a version of vLLM serves a model, by its configuration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.api.admission.attention import attention_of
from services.api.admission.vllm_args import positions
from services.api.admission.vllm_options import supported
from services.api.catalogue import vllm_models
from services.api.catalogue.hub.contents import Described
from services.api.refusals import FieldError
from shared.lifecycle.wish import Task, Wish
from shared.vllm_version import VllmVersion

_WORDS: Final[Mapping[Task, str]] = {"generate": "generate text", "embed": "make embeddings"}
_MODEL: Final = "/model"
_OTHER: Final = ". Choose another model"
LENGTH: Final = "--max-model-len"
_SUFFIXES: Final = {"k": 1_000, "K": 2**10, "m": 10**6, "M": 2**20}


def architectures_of(contents: Described) -> tuple[str, ...]:
    named = contents.config.get("architectures")
    return tuple(one for one in named if isinstance(one, str)) if isinstance(named, list) else ()


def unserved(contents: Described, wish: Wish, version: VllmVersion, *, trusted: bool) -> Iterator[FieldError]:
    """What this version would refuse at its start. `trusted`: it may run code from the model's repository."""
    custom = custom_code_of(contents, version)
    if custom and not trusted:
        yield FieldError(pointer=_MODEL, detail=_needs_trust(contents, version))
    elif (detail := _architecture(contents, wish.task, version, custom=custom)) is not None:
        yield FieldError(pointer=_MODEL, detail=detail)
    method = quantization_of(contents.config)
    if method and not vllm_models.serves_quantization(method, version):
        known = vllm_models.quantization_history(method, version) or ". Choose a model with another one"
        detail = f"{contents.model} is quantized as {method}, which vLLM {version} does not serve{known}."
        yield FieldError(pointer=_MODEL, detail=detail)
    yield from _too_long(contents, wish)


def never_served(listed: Described, task: Task, *, trusted: bool) -> str | None:
    """Why no supported version would serve it, in the words of the last one; None if one may."""
    wish, words = Wish(name="x", model=listed.model, task=task), None
    for version in reversed(supported()):
        if not (refused := tuple(unserved(listed, wish, version, trusted=trusted))):
            return None
        words = words or " ".join(error.detail for error in refused)
    return words


def doubts(contents: Described, wish: Wish, version: VllmVersion) -> Iterator[str]:
    """What this version may not do."""
    names = architectures_of(contents)
    if not names and contents.config:
        yield f"The configuration of {contents.model} names no architecture, so whether vLLM serves it was not checked."
    elif _only_by_transformers(names, wish.task, version):
        yield (
            f"vLLM {version} has no {' or '.join(names)} of its own. It may run it by the Transformers library, more "
            "slowly, or refuse it."
        )


def custom_code_of(contents: Described, version: VllmVersion) -> bool:
    """Whether its configuration can only be read by code of its repository (`--trust-remote-code`)."""
    automatic, model_type = contents.config.get("auto_map"), contents.config.get("model_type")
    if not isinstance(automatic, Mapping) or "AutoConfig" not in automatic:
        return False
    return not (isinstance(model_type, str) and vllm_models.knows_type(model_type, version))


def quantization_of(config: Mapping[str, Any]) -> str | None:
    """The method by which its weights are quantized, in lower case; None if they are not, or it is not named."""
    method = quantization_in(config).get("quant_method")
    return method.lower() or None if isinstance(method, str) else None


def quantization_in(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How its weights are quantized; empty if they are not. Multimodal models have it in their text part."""
    for holder in (config, config.get("text_config")):
        if isinstance(holder, Mapping):
            for name in ("quantization_config", "compression_config"):
                if isinstance(described := holder.get(name), Mapping):
                    return described
    return {}


def length_in(arguments: Sequence[str]) -> tuple[int, int] | None:
    """The position of --max-model-len and its tokens, as vLLM reads them: 8192, 8k (8000), 8K (8192)."""
    asked = None
    for at, name, value in positions(arguments):
        if name == LENGTH and value.rstrip("kKmM").isdecimal():
            asked = at, int(value.rstrip("kKmM")) * _SUFFIXES.get(value[-1], 1)
    return asked


def _architecture(contents: Described, task: Task, version: VllmVersion, *, custom: bool) -> str | None:
    names = architectures_of(contents)
    if not names or any(vllm_models.serves(name, task, version) for name in names):
        return None
    if custom or _only_by_transformers(names, task, version):
        return None
    said, known = " or ".join(names), vllm_models.tasks_of(names)
    if task in known or not known:
        told = (vllm_models.history(name, task, version) for name in names)
        return f"vLLM {version} does not serve {contents.model} ({said}){next(filter(None, told), _OTHER)}."
    other = next((kind for kind in _WORDS if kind in known), None)
    instead = f"Ask for the task {other}" if other else "Choose another model"
    return f"{contents.model} ({said}) cannot {_WORDS[task]} with vLLM. {instead}."


def _only_by_transformers(names: tuple[str, ...], task: Task, version: VllmVersion) -> bool:
    if any(vllm_models.serves(name, task, version) for name in names):
        return False
    return any(vllm_models.may_run_by_transformers(name, version) for name in names)


def _needs_trust(contents: Described, version: VllmVersion) -> str:
    return (
        f"{contents.model} comes with its own code, and vLLM {version} does not know it without. An administrator who "
        f"has read that code may allow it: coldstart models add {contents.model} --trust-remote-code."
    )


def _too_long(contents: Described, wish: Wish) -> Iterator[FieldError]:
    """Of embedding models another file may say how much they take."""
    attention, asked = attention_of(contents.config), length_in(wish.vllm_args)
    if (
        wish.task == "generate"
        and attention is not None
        and attention.longest
        and asked
        and asked[1] > attention.longest
    ):
        detail = f"{contents.model} has a context of {attention.longest} tokens at most. Ask for no more than that."
        yield FieldError(pointer=f"/vllm_args/{asked[0]}", detail=detail)
