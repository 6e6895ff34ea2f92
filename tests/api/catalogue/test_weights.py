"""From the hub's counts to bytes: each number by its type, packed weights by their packed size."""

from typing import Any

import pytest

from services.api.catalogue.weights import weights_bytes

AWQ = {"bits": 4, "quant_method": "awq"}


@pytest.mark.parametrize(
    ("parameters", "quantization", "expected"),
    [
        ({"BF16": 7_615_616_512}, {}, 15_231_233_024),
        ({"F16": 10, "F32": 5, "F64": 1}, {}, 48),
        ({"F8_E4M3": 1_000, "F8_E5M2": 10, "BF16": 100}, {"quant_method": "fp8"}, 1_210),
        ({"F4": 3}, {}, 2),
        ({"F32": 33_360_000, "I64": 512}, {}, 133_444_096),
        ({"F32": 124_439_808, "U8": 12_582_912}, {}, 510_342_144),
        ({"F16": 1_090_328_064, "I32": 6_525_288_448}, AWQ, 5_443_300_352),
        ({"BF16": 1_000, "U8": 20_000}, {"quant_method": "mxfp4"}, 12_000),
    ],
)
def test_each_type_counts_with_its_bits(
    parameters: dict[str, int], quantization: dict[str, Any], expected: int
) -> None:
    assert weights_bytes(parameters, quantization) == expected


@pytest.mark.parametrize(
    ("parameters", "quantization"),
    [
        ({}, {}),
        ({"BF16": 1_000, "Q9": 1}, {}),
        ({"F16": 1_000, "I32": 6_000}, {"quant_method": "compressed-tensors"}),
        ({"F16": 1_000, "U32": 6_000}, {}),
        ({"F16": 1_000, "I32": 10}, {"quant_method": "gptq", "bits": "4"}),
    ],
)
def test_what_may_be_read_in_two_ways_is_not_told(parameters: dict[str, int], quantization: dict[str, Any]) -> None:
    assert weights_bytes(parameters, quantization) is None
