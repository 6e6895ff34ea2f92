"""The models on the hub, one of each kind that may be requested. Figures are those of the real hub's cards."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal

_UNCOUNTED_BYTES: Final = 250_540_281
_LARGEST_SHARD: Final = 4 * 10**9
"""As Qwen splits its weights."""


def _grouped(layers: int, heads: int, kv_heads: int, hidden: int, context: int) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_size": hidden,
        "max_position_embeddings": context,
    }


def _sharded(size: int) -> dict[str, int]:
    """The files of so many bytes of safetensors."""
    count = math.ceil(size / _LARGEST_SHARD)
    if count == 1:
        return {"model.safetensors": size}
    sizes = [size * number // count for number in range(count + 1)]
    return {
        f"model-{number:05d}-of-{count:05d}.safetensors": sizes[number] - sizes[number - 1]
        for number in range(1, count + 1)
    }


@dataclass(frozen=True)
class Model:
    """`parameters` by data type, as the hub adds up the safetensors headers; for packed weights, the weights in them.

    Without any, the model has other kinds of files, which the hub does not count. `shape` is what config.json says of
    its layers and its context. `made_from`: the model that this one, which only has GGUF files, was quantized from.
    """

    id: str
    sha: str
    pipeline_tag: str
    architecture: str
    model_type: str
    parameters: dict[str, int]
    shape: dict[str, Any]
    library: str = "transformers"
    license: str = "apache-2.0"
    gated: Literal["auto", "manual", False] = False
    private: bool = False
    downloads: int = 1_000_000
    quantization: dict[str, Any] = field(default_factory=dict)
    made_from: str | None = None

    @property
    def owner(self) -> str:
        """Its owner: the part before the slash."""
        return self.id.partition("/")[0]

    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        described = {"architectures": [self.architecture], "model_type": self.model_type}
        quantized = {"quantization_config": self.quantization} if self.quantization else {}
        return described | quantized | {"torch_dtype": "bfloat16"} | self.shape

    def files(self) -> dict[str, int]:
        """Sizes in bytes."""
        if self.made_from:
            return {"README.md": 6_050, f"{self.id.partition('/')[2].lower()}-q4_k_m.gguf": _UNCOUNTED_BYTES}
        total = sum(self.parameters.values())
        weights = _sharded(2 * total) if total else {"pytorch_model.bin": _UNCOUNTED_BYTES}
        return {"config.json": len(json.dumps(self.config())), **weights, "tokenizer.json": 7_031_645}

    def _origin(self) -> tuple[str, ...]:
        return (f"base_model:{self.made_from}", f"base_model:quantized:{self.made_from}") if self.made_from else ()

    def _tags(self) -> tuple[str, ...]:
        """Among them the format of the weights, as the hub has it."""
        weights = "gguf" if self.made_from else "safetensors" if self.parameters else "pytorch"
        license_tag = f"license:{self.license}"
        return self.library, weights, self.model_type, self.pipeline_tag, license_tag, *self._origin()

    def properties(self) -> dict[str, Any]:
        """Everything that `expand` may ask for, by the hub's names; None values are left out."""
        total = sum(self.parameters.values())
        known = ("architectures", "model_type", "quantization_config")
        described = {
            "author": self.owner,
            "sha": self.sha,
            "createdAt": "2024-09-16T11:52:46.000Z",
            "lastModified": "2024-09-25T12:32:56.000Z",
            "private": self.private,
            "gated": self.gated,
            "disabled": False,
            "downloads": self.downloads,
            "likes": 400,
            "library_name": self.library,
            "tags": list(dict.fromkeys(self._tags())),
            "pipeline_tag": self.pipeline_tag,
            "config": {name: value for name, value in self.config().items() if name in known and not self.made_from},
            "cardData": {"license": self.license, "pipeline_tag": self.pipeline_tag, "library_name": self.library},
            "usedStorage": 2 * total,
            "siblings": [{"rfilename": name} for name in self.files()],
        }
        return described | {"safetensors": {"parameters": self.parameters, "total": total} if total else None}


MODELS: Final = {
    model.id: model
    for model in (
        Model(
            "Qwen/Qwen2.5-0.5B-Instruct",
            "7ae557604adf67be50417f59c2c2f167def9a775",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 494_032_768},
            _grouped(24, 14, 2, 896, 32_768),
            downloads=4_200_000,
        ),
        Model(
            "Qwen/Qwen2.5-7B-Instruct",
            "a09a35458c702b33eeacc393d103063234e8bc28",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 7_615_616_512},
            _grouped(28, 28, 4, 3_584, 32_768),
            downloads=12_000_000,
        ),
        Model(
            "Qwen/Qwen2.5-7B-Instruct-AWQ",
            "b25037543e9394b818fdfca67ab2a00ecc7dd641",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"F16": 1_090_328_064, "I32": 6_525_288_448},
            _grouped(28, 28, 4, 3_584, 32_768),
            quantization={"bits": 4, "quant_method": "awq"},
        ),
        Model(
            "Qwen/Qwen2.5-14B-Instruct",
            "cf98f3b3bbb457ad9e2bb7baf9a0125b6b88caa8",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 14_770_033_664},
            _grouped(48, 40, 8, 5_120, 32_768),
            downloads=2_500_000,
        ),
        Model(
            "Qwen/Qwen2.5-32B-Instruct",
            "5ede1c97bbab6ce5cda5812749b4c0bdf79b18dd",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 32_763_876_352},
            _grouped(64, 40, 8, 5_120, 32_768),
            downloads=1_200_000,
        ),
        Model(
            "Qwen/Qwen2.5-72B-Instruct",
            "495f39366efef23836d0cfae4fbe635880d2be31",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 72_706_203_648},
            _grouped(80, 64, 8, 8_192, 32_768),
            license="other",
            downloads=600_000,
        ),
        Model(
            "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
            "b1c0b44b4369b597ad119a196caf79a9c40e141e",
            "text-generation",
            "LlamaForCausalLM",
            "llama",
            {"BF16": 70_553_706_496},
            _grouped(80, 64, 8, 8_192, 131_072),
            license="mit",
            downloads=300_000,
        ),
        Model(
            "facebook/opt-125m",
            "27dcfa74d334bc871f3234de431e71c6eeba5dd6",
            "text-generation",
            "OPTForCausalLM",
            "opt",
            {},
            _grouped(12, 12, 12, 768, 2_048),
            license="other",
        ),
        Model(
            "openai/whisper-large-v3",
            "06f233fe06e710322aca913c1bc4249a0d71fce1",
            "automatic-speech-recognition",
            "WhisperForConditionalGeneration",
            "whisper",
            {"F16": 1_543_490_560},
            {"decoder_layers": 32, "decoder_attention_heads": 20, "d_model": 1_280},
            downloads=5_000_000,
        ),
        Model(
            "meta-llama/Llama-3.1-8B-Instruct",
            "0e9e39f249a16976918f6564b8830bc894c89659",
            "text-generation",
            "LlamaForCausalLM",
            "llama",
            {"BF16": 8_030_261_248},
            _grouped(32, 32, 8, 4_096, 131_072),
            license="llama3.1",
            gated="manual",
            downloads=9_000_000,
        ),
        Model(
            "BAAI/bge-small-en-v1.5",
            "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
            "feature-extraction",
            "BertModel",
            "bert",
            {"I64": 512, "F32": 33_360_000},
            _grouped(12, 12, 12, 384, 512),
            library="sentence-transformers",
            license="mit",
            downloads=7_000_000,
        ),
        Model(
            "openai-community/gpt2",
            "607a30d783dfa663caf39e06633721c8d4cfcd7e",
            "text-generation",
            "GPT2LMHeadModel",
            "gpt2",
            {"F32": 137_022_720},
            {"n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1_024},
            license="mit",
            downloads=16_000_000,
        ),
        Model(
            "ggml-org/gpt2-GGUF",
            "9b1f0c3a5d7e8f60718293a4b5c6d7e8f9012345",
            "text-generation",
            "GPT2LMHeadModel",
            "gpt2",
            {},
            {},
            library="gguf",
            license="mit",
            downloads=900,
            made_from="openai-community/gpt2",
        ),
        Model(
            "acme-labs/support-7b",
            "3f1a9c2be0d94f0f8a8f8f3c6f2f5b7a9d0e1c42",
            "text-generation",
            "Qwen2ForCausalLM",
            "qwen2",
            {"BF16": 7_615_616_512},
            _grouped(28, 28, 4, 3_584, 32_768),
            private=True,
        ),
    )
}

REVISIONS: Final = ("main", "v1.0", "v1.1", "refs/pr/1", "refs/pr/7")
"""The branch, tags and pull requests of every repository: they all hold the same."""

USERS: Final = ("julien-c",)
"""People with a name on the hub; whoever owns a model above is an organisation."""

LEGACY: Final = {"gpt2": "openai-community/gpt2"}
