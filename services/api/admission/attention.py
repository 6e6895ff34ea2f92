"""What a model keeps of each token, by its configuration: the KV cache that a context needs.

What the configuration leaves open counts as nothing, or makes the whole unknown: a launch is refused for what is
certain only. The names are those that vLLM reads (`ModelArchConfigConvertorBase`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

_NESTED: Final = ("thinker_config", "text_config", "llm_config", "language_config")
"""Where multimodal models have the configuration of their text part."""
_LAYERS: Final = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HEADS: Final = ("num_attention_heads", "n_head", "n_heads")
_HIDDEN: Final = ("hidden_size", "n_embd", "d_model")
_KV_HEADS: Final = ("n_head_kv", "num_kv_heads", "num_key_value_heads", "multi_query_group_num", "num_attention_groups")
_HEAD_SIZE: Final = ("head_dim", "hidden_size_per_head")
_CONTEXT: Final = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "max_target_positions"),
    *("max_sequence_length", "max_seq_length", "seq_len"),
)
_OWN_CONTEXT: Final = "model_max_length"
_FULL: Final = "full_attention"
_SLIDING: Final = ("sliding_attention", "chunked_attention")
_NOT_PLAIN: Final = ("ssm_", "mamba_", "linear_", "hybrid_", "attn_layer_", "block_configs", "conv_L")
"""How names begin that tell of layers without attention."""
_KEEPS_LESS: Final = ("num_kv_shared_layers", "use_cla", "compress_ratios", "attention_k_eq_v", "global_head_dim")
"""What tells of layers that share what they keep, or keep less: how much less, no rule here says."""
_SCALED_ALREADY: Final = frozenset({"su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"})
_MOST_GPUS: Final = 16
_MOST: Final = 10**9
_MOST_TIMES: Final = 1_000
"""Larger figures in a configuration are no figures of a model."""


@dataclass(frozen=True)
class Split:
    """Among how many GPUs each layer is split (`tensor`), and the layers are shared out (`pipeline`)."""

    tensor: int = 1
    pipeline: int = 1


@dataclass(frozen=True)
class Attention:
    """`layers` keep the whole context, `sliding` ones its last `window` tokens.

    Each keeps `kv_heads` keys and values of `head_size` numbers a token, or `latent` numbers instead, which no split
    divides (multi-head latent attention). `context` is the one that vLLM takes without --max-model-len, `longest` the
    most that it accepts there; None: the configuration does not say it.
    """

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    sliding: int = 0
    window: int = 0
    latent: int = 0
    context: int | None = None
    longest: int | None = None

    def cache_bytes(self, tokens: int, split: Split, number_bytes: float) -> float:
        """What one request of so many tokens needs of each GPU."""
        kept = self.layers * tokens + self.sliding * min(tokens, self.window)
        return kept * self._of_token(split, number_bytes)

    def tokens_in(self, room_bytes: float, split: Split, number_bytes: float) -> float:
        """The longest request for which there is so much room on each GPU; infinite if no room is needed."""
        tokens = max(room_bytes, 0.0) / self._of_token(split, number_bytes)
        all_keep = tokens / (self.layers + self.sliding)
        if all_keep <= self.window or not self.sliding:
            return all_keep
        return (tokens - self.sliding * self.window) / self.layers if self.layers else inf

    def splits(self) -> tuple[int, ...]:
        """Into how many parts vLLM can split each layer."""
        numbers = (number for number in range(1, _MOST_GPUS + 1) if self.heads % number == 0)
        return tuple(
            number for number in numbers if self.latent or 0 in (self.kv_heads % number, number % self.kv_heads)
        )

    def _of_token(self, split: Split, number_bytes: float) -> float:
        """Bytes of a token in a layer, spread over the stages of a pipeline."""
        numbers = self.latent or 2 * self.head_size * max(1, self.kv_heads // split.tensor)
        return numbers * number_bytes / split.pipeline


def attention_of(config: Mapping[str, Any]) -> Attention | None:
    """None if it has no KV cache, or one whose size the configuration does not tell."""
    text, nested = _text_part(config)
    layers, heads = _count(text, *_LAYERS), _count(text, *_HEADS)
    if layers is None or heads is None or any(text.get(name) for name in _KEEPS_LESS):
        return None
    kv_heads = 1 if text.get("multi_query") is True else _count(text, *_KV_HEADS) or (None if nested else heads)
    head_size = _count(text, *_HEAD_SIZE) or (_count(text, *_HIDDEN) or 0) // heads
    kinds = _kinds(text, layers)
    if kinds is None or kv_heads is None or not head_size:
        return None
    full, sliding, window = kinds
    context, longest = _contexts(text)
    value_size = _count(text, "v_head_dim") or head_size
    latent = (_count(text, "kv_lora_rank") or 0) + (_count(text, "qk_rope_head_dim") or 0)
    return Attention(
        layers=full,
        heads=heads,
        kv_heads=kv_heads,
        head_size=min(head_size, value_size),
        sliding=sliding,
        window=window,
        latent=latent if _count(text, "kv_lora_rank") else 0,
        context=context,
        longest=longest,
    )


def text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of the part that reads and writes text."""
    return _text_part(config)[0]


def _text_part(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """And whether it is nested. What a nested one leaves out has defaults that only its class knows."""
    for name in _NESTED:
        if isinstance(nested := config.get(name), Mapping):
            return _text_part(nested)[0], True
    return config, False


def _kinds(text: Mapping[str, Any], layers: int) -> tuple[int, int, int] | None:
    """How many layers keep the whole context, how many a window, and its length; None if that is not told."""
    window = _count(text, "sliding_window", "attention_chunk_size") or 0
    if isinstance(types := text.get("layer_types"), list):
        full, sliding = types.count(_FULL), sum(types.count(kind) for kind in _SLIDING)
        return None if full + sliding == 0 or (sliding and not window) else (full, sliding, window)
    if any(name.startswith(_NOT_PLAIN) for name in text):
        return None
    if text.get("use_sliding_window") is False or not window:
        return layers, 0, 0
    if (every := _count(text, "sliding_window_pattern", "_sliding_window_pattern")) is not None:
        return layers // every, layers - layers // every, window
    full = min(layers, _count(text, "max_window_layers") or 0)
    return full, layers - full, window


def _contexts(text: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The one by default, and the longest that vLLM accepts."""
    told = [length for name in _CONTEXT if (length := _count(text, name))]
    declared = _count(text, _OWN_CONTEXT) or min(told, default=None)
    if declared is None:
        return None, None
    longest = declared
    for rope in _ropes(text):
        kind, factor = rope.get("rope_type", rope.get("type")), rope.get("factor")
        times = float(factor) if isinstance(factor, int | float) and 1 <= factor <= _MOST_TIMES else 1.0
        original = _count(rope, "original_max_position_embeddings") or _count(text, "original_max_position_embeddings")
        if kind == "longrope":
            declared = original or declared
        elif kind not in _SCALED_ALREADY and "gemma3" not in str(text.get("model_type")):
            declared, longest = int(declared * times), int(longest * times)
        longest = max(longest, int((original or 0) * times))
    return declared, longest


def _ropes(text: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One, or one for each type of layer, which have the same factor."""
    for name in ("rope_parameters", "rope_scaling"):
        if isinstance(rope := text.get(name), Mapping):
            by_type = [each for each in rope.values() if isinstance(each, Mapping)]
            return by_type[:1] or [rope]
    return []


def _count(config: Mapping[str, Any], *names: str) -> int | None:
    """The first of these that is a whole number above 0."""
    values = (config.get(name) for name in names)
    return next((value for value in values if type(value) is int and 0 < value < _MOST), None)
