"""Shapes of repositories, with the fields that the hub documents and the configurations of real models."""

from typing import Any, Final

from services.api.catalogue.hub.contents import Contents

GB: Final = 10**9
QWEN2: Final[dict[str, Any]] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "hidden_size": 3_584,
    "max_position_embeddings": 32_768,
    "torch_dtype": "bfloat16",
}
LLAMA: Final[dict[str, Any]] = QWEN2 | {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4_096,
    "max_position_embeddings": 131_072,
}
BERT: Final[dict[str, Any]] = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_size": 384,
    "max_position_embeddings": 512,
}


def a_repository(
    config: dict[str, Any] | None = None,
    *,
    gb: float = 15.0,
    files: dict[str, int | None] | None = None,
    tags: tuple[str, ...] = (),
    library: str | None = "transformers",
    **more: Any,
) -> Contents:
    """By default Qwen2.5-7B in one file. `gb`: what the hub counts of safetensors, in bfloat16; 0: nothing."""
    config = QWEN2 | more if config is None else config | more
    held = {"model.safetensors": int(gb * GB)} if files is None else files
    return Contents(
        "acme/model",
        "a" * 40,
        files={"README.md": 1_000, "tokenizer.json": 7_000_000, **({"config.json": 700} if config else {}), **held},
        config=config,
        tags=tags,
        library=library,
        parameters=int(gb * GB / 2) if gb and files is None else None,
        weights_bytes=int(gb * GB) if gb and files is None else None,
    )


def shards(number: int, *, stem: str = "model", ending: str = "safetensors", lacking: int = 0) -> dict[str, int | None]:
    return {f"{stem}-{at:05d}-of-{number:05d}.{ending}": 4 * GB for at in range(1, number + 1 - lacking)}
