"""The KV cache that a context needs, by the configurations of real models."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.admission.attention import Attention, Split, attention_of

ALONE = Split()
BF16 = 2.0
LLAMA_8B = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4_096,
    "max_position_embeddings": 131_072,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8_192},
}
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "hidden_size": 7_168,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "max_position_embeddings": 163_840,
}


def attention(config: dict[str, Any]) -> Attention:
    found = attention_of(config)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("config", "token_bytes"),
    [
        (LLAMA_8B, 131_072),
        (LLAMA_8B | {"num_key_value_heads": 32}, 524_288),
        ({"n_layer": 12, "n_head": 12, "n_embd": 768}, 36_864),
        ({"num_hidden_layers": 60, "n_head": 128, "hidden_size": 8_192, "multi_query": True}, 15_360),
        ({"num_layers": 28, "num_attention_heads": 32, "hidden_size": 4_096, "multi_query_group_num": 2}, 28_672),
        ({"text_config": LLAMA_8B, "vision_config": {"num_hidden_layers": 24}}, 131_072),
        ({"thinker_config": {"text_config": LLAMA_8B}}, 131_072),
        (DEEPSEEK_V3, 70_272),
        (LLAMA_8B | {"head_dim": 64}, 65_536),
    ],
)
def test_a_token_takes_what_layers_heads_and_head_size_make_of_it(config: dict[str, Any], token_bytes: int) -> None:
    assert attention(config).cache_bytes(1, ALONE, BF16) == token_bytes
    assert attention(config).cache_bytes(1, ALONE, 1.0) == token_bytes / 2


def test_a_split_divides_the_heads_and_no_head() -> None:
    of = attention(LLAMA_8B).cache_bytes
    assert [of(1, Split(tensor), BF16) for tensor in (1, 2, 8, 16)] == [131_072, 65_536, 16_384, 16_384]
    assert of(1, Split(2, pipeline=2), BF16) == 32_768
    assert attention(DEEPSEEK_V3).cache_bytes(1, Split(8), BF16) == 70_272, "each GPU keeps all of a latent"


def test_a_layer_with_a_window_keeps_no_more_than_that() -> None:
    plain = {"num_hidden_layers": 6, "num_attention_heads": 4, "hidden_size": 512, "sliding_window": 1_024}
    token = 2 * 512 * 2
    types = ["sliding_attention"] * 5 + ["full_attention"]
    for config in (plain | {"layer_types": types}, plain | {"sliding_window_pattern": 6}):
        assert attention(config).cache_bytes(10_000, ALONE, BF16) == token * (10_000 + 5 * 1_024)
        assert attention(config).tokens_in(token * (10_000 + 5 * 1_024), ALONE, BF16) == 10_000
    assert attention(plain).cache_bytes(10_000, ALONE, BF16) == token * 6 * 1_024
    assert attention(plain | {"use_sliding_window": False}).cache_bytes(10_000, ALONE, BF16) == token * 6 * 10_000


def test_layers_without_attention_keep_nothing_of_a_token() -> None:
    types = ["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 8
    assert attention(LLAMA_8B | {"layer_types": types, "linear_num_value_heads": 32}).layers == 8


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"num_hidden_layers": 24},
        {"text_config": {"model_type": "llama", "hidden_size": 4_096}},
        {"text_config": {name: value for name, value in LLAMA_8B.items() if name != "num_key_value_heads"}},
        LLAMA_8B | {"mamba_d_state": 128},
        LLAMA_8B | {"num_kv_shared_layers": 20, "layer_types": ["full_attention"] * 32},
        LLAMA_8B | {"global_head_dim": 512},
        LLAMA_8B | {"layer_types": ["sliding_attention"] * 32},
        LLAMA_8B | {"num_hidden_layers": "32"},
        LLAMA_8B | {"num_attention_heads": True},
        LLAMA_8B | {"num_attention_heads": -1},
    ],
)
def test_what_the_configuration_leaves_open_is_not_guessed(config: dict[str, Any]) -> None:
    assert attention_of(config) is None


@pytest.mark.parametrize(
    ("more", "contexts"),
    [
        ({}, (131_072, 131_072)),
        ({"max_position_embeddings": 32_768, "rope_scaling": None}, (32_768, 32_768)),
        ({"max_position_embeddings": 4_096, "rope_scaling": {"type": "linear", "factor": 4.0}}, (16_384, 16_384)),
        (
            {
                "max_position_embeddings": 32_768,
                "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768},
            },
            (32_768, 131_072),
        ),
        (
            {"rope_scaling": {"type": "longrope"}, "original_max_position_embeddings": 4_096},
            (4_096, 131_072),
        ),
        ({"max_position_embeddings": None, "rope_scaling": None}, (None, None)),
        ({"model_max_length": 8_192}, (8_192, 65_536)),
    ],
)
def test_the_context_is_the_one_that_vllm_takes(more: dict[str, Any], contexts: tuple[int | None, int | None]) -> None:
    found = attention(LLAMA_8B | more)
    assert (found.context, found.longest) == contexts


@pytest.mark.parametrize(
    ("heads", "kv_heads", "splits"),
    [(32, 8, (1, 2, 4, 8, 16)), (14, 2, (1, 2, 14)), (12, 12, (1, 2, 3, 4, 6, 12)), (40, 8, (1, 2, 4, 8))],
)
def test_a_layer_is_split_by_whole_heads(heads: int, kv_heads: int, splits: tuple[int, ...]) -> None:
    assert Attention(1, heads, kv_heads, 64).splits() == splits


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LLAMA_8B, "factor", "layer_types"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([*LLAMA_8B, "text_config", "layer_types", "sliding_window", "kv_lora_rank", "head_dim"]), json
    ),
    st.floats(min_value=-1e12, max_value=1e12),
)
def test_no_configuration_breaks_it(config: dict[str, Any], room: float) -> None:
    found = attention_of(config) or attention_of(LLAMA_8B | config)
    if found is not None:
        tokens = found.tokens_in(room, ALONE, BF16)
        assert tokens >= 0
        if tokens < 1e9:
            assert found.cache_bytes(int(tokens), ALONE, BF16) <= max(room, 0.0) * 1.001
