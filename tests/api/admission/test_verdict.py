"""Every shape of repository with its verdict, for the first and the last supported version of vLLM."""

from typing import Any, Final, TypeAlias

import pytest

from services.api.admission.verdict import LaunchVerdict, verdict
from services.api.admission.vllm_options import supported
from services.api.catalogue.hub.contents import Contents
from shared.lifecycle.wish import Findings, Task, Wish
from shared.offers.instance_types import InstanceType
from shared.vllm_version import VllmVersion
from tests.api.admission.shapes import BERT, GB, LLAMA, QWEN2, a_repository, shards

FIRST, LAST = supported()[0], supported()[-1]
L4: Final = InstanceType(name="L4-1-24G", zones=("a",), gpus=1, gpu_memory_gb=24.0, hourly_price=0.8)
TWO_L4: Final = InstanceType(name="L4-2-24G", zones=("a",), gpus=2, gpu_memory_gb=24.0, hourly_price=1.6)
OWN: Final = InstanceType(name="own", zones=("a",), gpus=1)
FINE: Final = None
VISION: Final = {"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", "text_config": QWEN2}
QWEN3_5: Final = QWEN2 | {"architectures": ["Qwen3_5ForConditionalGeneration"], "model_type": "qwen3_5"}
OWN_CODE: Final = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}
NO_ROOM: Final = "no room for a context of 131072 tokens"
Said: TypeAlias = str | None
"""What the verdict says; None: nothing."""


def judged(
    contents: Contents,
    version: VllmVersion | None,
    *,
    kind: InstanceType | None = L4,
    task: Task = "generate",
    args: tuple[str, ...] = (),
    trusted: bool = False,
) -> LaunchVerdict:
    wish = Wish(name="x", model=contents.model, task=task, vllm_args=args)
    return verdict(contents, wish, version, kind, Findings(trust_remote_code=trusted))


def both(sentence: str) -> tuple[Said, Said]:
    return sentence, sentence


def said(found: LaunchVerdict) -> str:
    """Everything that it says; empty if it says nothing."""
    return " ".join([*(error.detail for error in found.errors), found.no_room or "", *found.warnings]).strip()


TABLE: Final[dict[str, tuple[Contents, dict[str, Any], Said, Said]]] = {
    # What both serve.
    "plain": (a_repository(), {}, FINE, FINE),
    "shards": (a_repository(files=shards(4)), {}, FINE, FINE),
    "pytorch shards": (a_repository(files=shards(4, stem="pytorch_model", ending="bin")), {}, FINE, FINE),
    "pytorch": (a_repository(files={"pytorch_model.bin": 15 * GB}), {}, FINE, FINE),
    "safetensors beside broken pytorch shards": (
        a_repository(files={**shards(2), **shards(3, stem="pytorch_model", ending="bin", lacking=1)}),
        {},
        FINE,
        FINE,
    ),
    "sizes not told": (a_repository(files={"model.safetensors": None}), {}, FINE, FINE),
    "gguf beside safetensors": (a_repository(files={"model.safetensors": GB, "q4.gguf": GB}), {}, FINE, FINE),
    "adapter beside the whole model": (
        a_repository(files={"model.safetensors": GB, "adapter_config.json": 1, "adapter_model.safetensors": 1}),
        {},
        FINE,
        FINE,
    ),
    "mistral's own format": (
        a_repository({}, files={"consolidated.safetensors": GB, "params.json": 500}),
        {},
        FINE,
        FINE,
    ),
    "no library and no tags": (a_repository(library=None), {}, FINE, FINE),
    "odd tags": (a_repository(tags=("text-to-image", "onnx", "mlx"), library="peft"), {}, FINE, FINE),
    "multimodal": (a_repository(VISION), {}, FINE, FINE),
    "embedding": (a_repository(BERT, gb=0.1), {"task": "embed"}, FINE, FINE),
    "a chat model for embeddings": (a_repository(), {"task": "embed"}, FINE, FINE),
    "the base of a chat model for embeddings": (
        a_repository(architectures=["Qwen3Model"], model_type="qwen3"),
        {"task": "embed"},
        FINE,
        FINE,
    ),
    "awq": (a_repository(quantization_config={"quant_method": "awq", "bits": 4}), {}, FINE, FINE),
    "gptq": (a_repository(quantization_config={"quant_method": "gptq", "bits": 4}), {}, FINE, FINE),
    "fp8": (a_repository(quantization_config={"quant_method": "fp8"}), {}, FINE, FINE),
    "auto-round": (a_repository(quantization_config={"quant_method": "auto-round"}), {}, FINE, FINE),
    "compressed": (a_repository(quantization_config={"quant_method": "compressed-tensors"}), {}, FINE, FINE),
    "compressed, as it was": (
        a_repository(compression_config={"quant_method": "compressed_tensors"}),
        {},
        FINE,
        FINE,
    ),
    "modelopt without a method": (a_repository(quantization_config={"producer": {"name": "modelopt"}}), {}, FINE, FINE),
    "own code that vLLM does not need": (a_repository(auto_map=OWN_CODE), {}, FINE, FINE),
    "code for the tokenizer alone": (a_repository(auto_map={"AutoTokenizer": ["x.T", None]}), {}, FINE, FINE),
    "own code that is allowed": (
        a_repository(auto_map=OWN_CODE, model_type="acme", architectures=["AcmeForCausalLM"]),
        {"trusted": True},
        FINE,
        FINE,
    ),
    "a configuration of odd types": (
        a_repository(architectures="Qwen2ForCausalLM", quantization_config=[], auto_map="x", text_config=7),
        {},
        "names no architecture",
        "names no architecture",
    ),
    # What one of them serves.
    "an architecture that is new": (
        a_repository(QWEN3_5),
        {},
        "vLLM 0.13.0 does not serve acme/model (Qwen3_5ForConditionalGeneration): 0.17.0 added it. Choose an image",
        FINE,
    ),
    "an architecture that the Transformers library alone has": (
        a_repository(architectures=["DiffLlamaForCausalLM"], model_type="diffllama"),
        {},
        "vLLM 0.13.0 has no DiffLlamaForCausalLM of its own. It may run it by the Transformers library",
        "vLLM 0.32.0 has no DiffLlamaForCausalLM of its own. It may run it by the Transformers library",
    ),
    "an architecture that was dropped": (
        a_repository(architectures=["AquilaForCausalLM"]),
        {},
        FINE,
        "vLLM 0.32.0 does not serve acme/model (AquilaForCausalLM): 0.25.0 removed it. Choose an image of an earlier",
    ),
    "a quantization that was dropped": (
        a_repository(quantization_config={"quant_method": "bitsandbytes"}),
        {},
        FINE,
        "quantized as bitsandbytes, which vLLM 0.32.0 does not serve: 0.28.0 removed it.",
    ),
    "a quantization of the text part that was dropped": (
        a_repository(VISION | {"text_config": QWEN2 | {"quantization_config": {"quant_method": "hqq"}}}),
        {},
        FINE,
        "quantized as hqq",
    ),
    "a quantization that is new": (
        a_repository(quantization_config={"quant_method": "mxfp8"}),
        {},
        "0.19.0 added it. Choose an image of a later version.",
        FINE,
    ),
    # What neither serves.
    "gguf alone": (
        a_repository(
            {}, files={"q4.gguf": GB, "q8.gguf": GB}, tags=("base_model:quantized:acme/base",), library="gguf"
        ),
        {},
        *both("only as GGUF files, which are not served here. Launch acme/base instead."),
    ),
    "gguf with a configuration": (
        a_repository(files={"q4.gguf": GB}),
        {},
        *both("only as GGUF files, which are not served here. Launch the model that it was made from."),
    ),
    "an adapter": (
        a_repository(
            {},
            files={"adapter_config.json": 700, "adapter_model.safetensors": 10**7},
            tags=("base_model:acme/base", "base_model:adapter:acme/base"),
            library="peft",
        ),
        {},
        *both("is an adapter (LoRA) and no whole model. Launch acme/base instead."),
    ),
    "an adapter in pytorch": (
        a_repository({}, files={"adapter_config.json": 700, "adapter_model.bin": 10**7, "training_args.bin": 5_000}),
        {},
        *both("is an adapter (LoRA)"),
    ),
    "a pipeline of diffusers": (
        a_repository({}, files={"model_index.json": 500, "unet/model.safetensors": GB}, library="diffusers"),
        {},
        *both("is a pipeline of the Diffusers library. Choose a language model."),
    ),
    "no weights": (a_repository(files={}), {}, *both("has no weights that vLLM loads (safetensors, .bin or .pt). ")),
    "weights in a folder": (a_repository(files={"fp16/model.safetensors": GB}), {}, *both("has no weights")),
    "onnx": (a_repository(files={"onnx/model.onnx": GB}), {}, *both(", only ONNX.")),
    "flax and tensorflow": (
        a_repository(files={"flax_model.msgpack": GB, "tf_model.h5": GB}),
        {},
        *both(", only Flax, TensorFlow."),
    ),
    "nemo": (a_repository({}, files={"model.nemo": GB}, library="nemo"), {}, *both(", only NeMo.")),
    "a state of a training alone": (
        a_repository(files={"training_args.bin": 5_000, "optimizer.pt": GB}),
        {},
        *both("has no weights"),
    ),
    "a shard that is missing": (
        a_repository(files=shards(4, lacking=1)),
        {},
        *both("lacks parts of its weights: model-00004-of-00004.safetensors. Choose a revision that has them all."),
    ),
    "many shards that are missing": (a_repository(files=shards(9, lacking=5)), {}, *both(" and 2 more. ")),
    "no configuration": (a_repository({}), {}, *both("has no config.json")),
    "mlx": (
        a_repository(tags=("mlx",), library="mlx", quantization={"group_size": 64, "bits": 4}),
        {},
        *both("is quantized for MLX"),
    ),
    "own code": (
        a_repository(auto_map=OWN_CODE, model_type="acme", architectures=["AcmeForCausalLM"]),
        {},
        *both("may allow it: coldstart models add acme/model --trust-remote-code."),
    ),
    "an unknown architecture": (
        a_repository(architectures=["AcmeForCausalLM"]),
        {},
        "vLLM 0.13.0 does not serve acme/model (AcmeForCausalLM). Choose another model.",
        "vLLM 0.32.0 does not serve acme/model (AcmeForCausalLM). Choose another model.",
    ),
    "a draft model": (a_repository(architectures=["EagleLlamaForCausalLM"]), {}, *both("does not serve acme/model")),
    "a classifier": (
        a_repository(BERT | {"architectures": ["BertForSequenceClassification"]}),
        {},
        *both("cannot generate text with vLLM. Choose another model."),
    ),
    "a recogniser of speech": (
        a_repository(architectures=["WhisperForConditionalGeneration"], model_type="whisper"),
        {},
        *both("cannot generate text with vLLM."),
    ),
    "embeddings asked to generate": (
        a_repository(BERT),
        {},
        *both("cannot generate text with vLLM. Ask for the task embed."),
    ),
    "a quantization of another engine": (
        a_repository(quantization_config={"quant_method": "exl2"}),
        {},
        *both("does not serve. Choose a model with another one."),
    ),
    "a longer context than it has": (
        a_repository(),
        {"args": ("--max-model-len", "40k")},
        *both("has a context of 32768 tokens at most. Ask for no more than that."),
    ),
    "a longer context than it seems to have, for embeddings": (
        a_repository(),
        {"task": "embed", "args": ("--max-model-len", "40k")},
        FINE,
        FINE,
    ),
    # Whether there are GPUs enough, and the context has room.
    "more GPUs than the type has": (
        a_repository(),
        {"args": ("--tensor-parallel-size", "2")},
        *both("L4-1-24G has 1 GPU, and the options of vLLM ask for 2. Lower them, or choose a type with more GPUs."),
    ),
    "more GPUs than the type has, by two options": (
        a_repository(),
        {"kind": TWO_L4, "args": ("--pipeline-parallel-size=2", "--data-parallel-size=2")},
        *both("L4-2-24G has 2 GPUs, and the options of vLLM ask for 4."),
    ),
    "as many GPUs as the type has": (a_repository(), {"kind": TWO_L4, "args": ("--data-parallel-size=2",)}, FINE, FINE),
    "more GPUs than a machine of one's own is said to have": (
        a_repository(),
        {"kind": OWN, "args": ("--tensor-parallel-size=4",)},
        *both("own: own has 1 GPU, and the options of vLLM ask for 4. If it has more, write that into the list"),
    ),
    "a long context on a small card": (a_repository(LLAMA, gb=16.1), {}, *both(NO_ROOM)),
    "a shorter context that has room": (a_repository(LLAMA, gb=16.1), {"args": ("--max-model-len=16K",)}, FINE, FINE),
    "a cache of eight bits": (
        a_repository(LLAMA, gb=16.1),
        {"args": ("--max-model-len=40000", "--kv-cache-dtype=fp8")},
        FINE,
        FINE,
    ),
    "a context that hardly has room": (
        a_repository(LLAMA, gb=16.1),
        {"args": ("--max-model-len=38000",)},
        *both("leaves hardly any room, so vLLM may not start. --max-model-len "),
    ),
    "a context that only fits if a GB has 2³⁰ bytes": (
        a_repository(LLAMA, gb=16.1),
        {"args": ("--max-model-len=52000",)},
        *both("leaves hardly any room"),
    ),
    "two cards": (a_repository(LLAMA, gb=16.1), {"kind": TWO_L4}, FINE, FINE),
    "two cards of which one is used": (
        a_repository(LLAMA, gb=16.1),
        {"kind": TWO_L4, "args": ("--tensor-parallel-size=1",)},
        *both(NO_ROOM),
    ),
    "a window in every layer": (a_repository(LLAMA, gb=16.1, sliding_window=4_096), {}, FINE, FINE),
    "a long context in a multimodal model": (
        a_repository(VISION | {"text_config": LLAMA}, gb=16.1),
        {},
        *both(NO_ROOM),
    ),
    "weights that pytorch's files tell": (
        a_repository(LLAMA, files={"pytorch_model.bin": 16 * GB}),
        {},
        *both(NO_ROOM),
    ),
    "weights of four bytes": (
        a_repository(LLAMA, files={"pytorch_model.bin": 24 * GB}, torch_dtype="float32"),
        {"args": ("--max-model-len=32k",)},
        FINE,
        FINE,
    ),
    "embeddings keep nothing": (a_repository(LLAMA, gb=16.1), {"task": "embed"}, FINE, FINE),
}


@pytest.mark.parametrize("shape", TABLE)
def test_each_shape_of_repository_has_its_verdict_by_both_versions(shape: str) -> None:
    contents, asked, by_first, by_last = TABLE[shape]
    for version, expected in ((FIRST, by_first), (LAST, by_last)):
        told = said(judged(contents, version, **asked))
        assert told == "" if expected is None else expected in told, f"{version}: {told}"


def test_the_table_has_shapes_enough() -> None:
    assert len(TABLE) >= 40
    assert (str(FIRST), str(LAST)) == ("0.13.0", "0.32.0")


@pytest.mark.parametrize("shape", TABLE)
def test_what_is_refused_is_said_in_one_sentence_with_what_to_do_in_another(shape: str) -> None:
    contents, asked, *_ = TABLE[shape]
    for version in (FIRST, LAST):
        found = judged(contents, version, **asked)
        for detail in [error.detail for error in found.errors] + [found.no_room or "X. Y."]:
            assert detail.count(". ") + detail.count(": ") >= 1, detail
            assert detail.endswith("."), detail
            assert ".." not in detail, detail


def test_a_version_that_is_not_known_decides_nothing() -> None:
    for contents in (
        a_repository(architectures=["AcmeForCausalLM"]),
        a_repository(auto_map=OWN_CODE, model_type="acme"),
    ):
        assert said(judged(contents, None)) == ""
    assert "only as GGUF files" in said(judged(a_repository(files={"q4.gguf": GB}), None))
    assert NO_ROOM in said(judged(a_repository(LLAMA, gb=16.1), None))


@pytest.mark.parametrize("namespace", ["Qwen", "acme", "openai-community", "any", "models", "a"])
def test_the_part_before_the_slash_decides_nothing(namespace: str) -> None:
    plain = a_repository()
    contents = Contents(f"{namespace}/model", plain.commit, plain.files, plain.config)
    assert said(judged(contents, LAST)) == said(judged(contents, FIRST)) == ""


def test_what_fits_is_what_the_refusal_says() -> None:
    """The context that a refusal names is accepted, without a warning."""
    contents = a_repository(LLAMA, gb=16.1)
    refusal = judged(contents, LAST).no_room or ""
    assert refusal.startswith(f"L4-1-24G has {NO_ROOM} beside the weights of acme/model. Say --max-model-len ")
    length = refusal.partition("--max-model-len ")[2].partition(",")[0]
    assert said(judged(contents, LAST, args=("--max-model-len", length))) == ""
