"""Into how many parts a model is split, by the configurations of real models."""

from typing import Any

import pytest

from services.api.admission.splitting import splits_of

QWEN_72B = {
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "hidden_size": 8_192,
    "intermediate_size": 29_568,
}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128}
COMPRESSED = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"group_size": 128}}}}
FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
CHANNELS = {"quant_method": "gptq", "group_size": -1}


@pytest.mark.parametrize(
    ("more", "splits"),
    [
        ({}, (1, 2, 4, 8, 16)),
        ({"quantization_config": GPTQ}, (1,)),
        ({"quantization_config": GPTQ, "intermediate_size": 29_696}, (1, 2, 4, 8)),
        ({"quantization_config": COMPRESSED, "intermediate_size": 29_696}, (1, 2, 4, 8)),
        ({"quantization_config": CHANNELS}, (1, 2, 4, 8, 16)),
        ({"quantization_config": FP8, "intermediate_size": 6_144, "moe_intermediate_size": 768}, (1, 2)),
        ({"num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4_864}, (1, 2)),
        ({"num_hidden_layers": None}, ()),
    ],
)
def test_a_layer_is_split_by_whole_heads_and_whole_groups(more: dict[str, Any], splits: tuple[int, ...]) -> None:
    assert splits_of(QWEN_72B | more) == splits
    assert splits_of({"text_config": QWEN_72B | more}) == splits
