"""What the hub's search tells of a model is judged in words of a launch. What it does not tell is not judged."""

from typing import Any, Final

import pytest

from services.api.admission.repository_rules import unloadable_as_listed
from services.api.admission.serving_rules import never_served
from services.api.catalogue.hub.search import Listed
from shared.lifecycle.wish import Task

QWEN: Final = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}
OWN_CODE: Final = QWEN | {"model_type": "acme", "auto_map": {"AutoConfig": "configuration_acme.AcmeConfig"}}
LOADED: Final = ("transformers", "safetensors")
BASE: Final = "base_model:quantized:acme/base"


def said(config: dict[str, Any], *tags: str, task: Task = "generate", trusted: bool = False, library: str = "") -> str:
    listed = Listed("acme/model", task, gated=False, config=config, tags=tags, library=library or None)
    return unloadable_as_listed(listed) or never_served(listed, task, trusted=trusted) or ""


@pytest.mark.parametrize(
    ("config", "tags", "words"),
    [
        (
            {},
            ("gguf", BASE),
            "has its weights only as GGUF files, which are not served here. Launch acme/base instead.",
        ),
        (QWEN, ("transformers", "gguf"), "only as GGUF files"),
        (
            {"peft": {"task_type": "CAUSAL_LM"}},
            ("peft", "safetensors", "base_model:adapter:acme/base"),
            "is an adapter",
        ),
        ({"diffusers": {"_class_name": "FluxPipeline"}}, ("diffusers", "safetensors"), "of the Diffusers library."),
        (QWEN, ("transformers.js", "onnx"), "no weights that vLLM loads (safetensors, .bin or .pt), only ONNX."),
        (QWEN, ("jax", "tf"), "only Flax, TensorFlow."),
        (QWEN | {"quantization_config": {"bits": 4}}, ("mlx", "safetensors", BASE), "is quantized for MLX, on Apple"),
        ({"architectures": ["AcmeForCausalLM"]}, LOADED, "vLLM 0.32.0 does not serve acme/model (AcmeForCausalLM)."),
        (QWEN | {"quantization_config": {"quant_method": "exl2"}}, LOADED, "is quantized as exl2, which vLLM 0.32.0"),
        (OWN_CODE, LOADED, "may allow it: coldstart models add acme/model --trust-remote-code."),
    ],
)
def test_what_a_launch_would_refuse_is_told(config: dict[str, Any], tags: tuple[str, ...], words: str) -> None:
    assert words in said(config, *tags)


@pytest.mark.parametrize(
    ("config", "tags"),
    [
        (QWEN, LOADED),
        (QWEN, ("pytorch", "gguf", "onnx")),
        (QWEN, ("safetensors", "gguf", "mlx")),
        (QWEN | {"peft": {"task_type": "CAUSAL_LM"}}, ("peft", "safetensors")),
        (QWEN | {"quantization_config": {"quant_method": "awq", "bits": 4}}, LOADED),
        (QWEN | {"quantization_config": {"quant_method": "bitsandbytes"}}, LOADED),
        ({"architectures": ["AquilaForCausalLM"], "model_type": "aquila"}, LOADED),
        (QWEN, ()),
        ({}, ()),
        ({"architectures": "?", "quantization_config": 4, "auto_map": []}, ("mlx", "safetensors")),
    ],
)
def test_what_is_not_told_or_one_version_serves_is_no_reason(config: dict[str, Any], tags: tuple[str, ...]) -> None:
    assert said(config, *tags) == ""


def test_code_that_an_administrator_has_allowed_is_no_reason() -> None:
    assert said(OWN_CODE, *LOADED, trusted=True) == ""


def test_the_library_tells_of_mlx_as_well_as_the_tags() -> None:
    assert "for MLX" in said(QWEN | {"quantization_config": {"bits": 4}}, "safetensors", library="mlx")
