"""Into how many parts vLLM can split a layer: by whole attention heads, and by whole groups of quantized weights."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.api.admission.attention import attention_of, text_part
from services.api.admission.serving_rules import quantization_in

_GROUPS: Final = frozenset({"group_size", "weight_block_size"})
_WIDTHS: Final = ("intermediate_size", "moe_intermediate_size", "ffn_dim", "n_inner")


def splits_of(config: Mapping[str, Any]) -> tuple[int, ...]:
    """Empty if it is not known."""
    attention, text = attention_of(config), text_part(config)
    if attention is None:
        return ()
    group = max(_groups(quantization_in(config)), default=1)
    widths = [width for name in _WIDTHS if type(width := text.get(name)) is int and width > 0]
    return tuple(
        parts for parts in attention.splits() if parts == 1 or all(width % (parts * group) == 0 for width in widths)
    )


def _groups(described: Mapping[str, Any]) -> Iterator[int]:
    """How many weights share a scale: `group_size` of AWQ, GPTQ and others, `weight_block_size` of FP8."""
    for name, value in described.items():
        if isinstance(value, Mapping):
            yield from _groups(value)
        elif name in _GROUPS:
            sizes = value if isinstance(value, list) else [value]
            yield from (size for size in sizes if type(size) is int and size > 0)
