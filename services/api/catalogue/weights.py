"""The stored size of a model's weights in bytes, from the hub's counts by data type."""

from collections.abc import Mapping
from typing import Any, Final

_BITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("F4", "I4", "U4"), 4),
}
"""Bits per number, by the names of the safetensors format."""
_CONTAINERS: Final = frozenset({"I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8"})
"""Types into which quantized weights are packed. The hub counts the weights in them, not the integers."""
_BITS_BY_METHOD: Final[Mapping[str, int]] = {"mxfp4": 4}
_FEW: Final = 0.25
"""Up to this share, integers are buffers (positions, masks) of a model that is not quantized."""


def weights_bytes(parameters: Mapping[str, int], quantization: Mapping[str, Any]) -> int | None:
    """`quantization` is from the model's configuration. None if the size does not follow from the counts.

    The hub does not count scales and zero points of quantized weights: a few percent may be missing.
    """
    integers = sum(count for kind, count in parameters.items() if kind in _CONTAINERS)
    packed = bool(quantization) or integers > _FEW * sum(parameters.values())
    bits = 0
    for kind, count in parameters.items():
        each = _packed_bits(quantization) if packed and kind in _CONTAINERS else _BITS.get(kind)
        if each is None:
            return None
        bits += count * each
    return -(-bits // 8) or None


def _packed_bits(quantization: Mapping[str, Any]) -> int | None:
    bits = quantization.get("bits")
    return bits if isinstance(bits, int) and bits > 0 else _BITS_BY_METHOD.get(str(quantization.get("quant_method")))
