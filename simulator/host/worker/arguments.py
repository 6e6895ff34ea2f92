"""vLLM's command line, as far as an installation may use it; anything else is refused as vLLM refuses it."""

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .version import NEWEST, Version

_PLAIN: Final = (
    "--chat-template", "--config-format", "--dtype", "--kv-cache-dtype", "--limit-mm-per-prompt", "--load-format",
    "--quantization", "--reasoning-parser", "--revision", "--tokenizer", "--tokenizer-mode", "--tokenizer-revision",
    "--tool-call-parser", "--block-size", "--chat-template-content-format", "--generation-config",
    "--safetensors-load-strategy",
)  # fmt: skip
_NUMBERS: Final = (
    "--cpu-offload-gb", "--data-parallel-size", "--gpu-memory-utilization", "--max-logprobs", "--max-num-seqs",
    "--pipeline-parallel-size", "--seed", "--tensor-parallel-size",
)  # fmt: skip
_SWITCHES: Final = (
    "--disable-log-requests", "--disable-log-stats", "--enable-auto-tool-choice", "--enable-chunked-prefill",
    "--enable-expert-parallel", "--enable-prefix-caching", "--enforce-eager", "--trust-remote-code",
    "--async-scheduling", "--no-enable-chunked-prefill", "--no-enable-prefix-caching",
)  # fmt: skip
_TLS_FILES: Final = ("--ssl-keyfile", "--ssl-certfile", "--ssl-ca-certs")
_NO_SWAP_SPACE_SINCE: Final = Version(0, 18, 0)
_EMBEDDING_FAMILIES: Final = ("bge-", "e5-", "gte-", "embed")
_VISION_FAMILIES: Final = ("-vl-", "vision", "llava", "pixtral")
_MOST_LOGPROBS: Final = 20
"""vLLM's default of --max-logprobs."""
_GATED: Final = ("meta-llama/",)
_BILLIONS: Final = re.compile(r"-(\d+(?:\.\d+)?)B\b")
_BYTES_OF_A_PARAMETER: Final = 2
_LARGEST_FILE_GB: Final = 5


@dataclass(frozen=True)
class Arguments:
    version: Version
    """The version of vLLM that is played."""
    model: str
    model_by_option: bool
    """Given by `--model`, which vLLM warns of, and not as the first argument."""
    served_names: tuple[str, ...]
    port: int
    tls: dict[str, Any]
    """uvicorn's names for the files of its TLS, and for whether a client has to show a certificate."""
    pooling: bool
    """Embeddings and nothing else."""
    api_keys: tuple[str, ...]
    max_model_len: int
    max_logprobs: int
    """The most alternatives that a request may ask for."""
    vision: bool
    """Takes images."""
    tool_parser: bool
    """Tools may be offered without naming the one to call."""
    gated: bool
    """The weights are behind a licence and no token was given."""
    offline: bool
    """Everything is in the cache, and no hub is asked."""
    eager: bool
    """Neither compiled nor captured as CUDA graphs."""
    bars: bool
    """huggingface_hub shows how far a download is: never by itself where there is no terminal."""
    non_default: dict[str, Any]
    """What vLLM prints when it starts, secrets and all."""

    @property
    def weight_files(self) -> tuple[str, ...]:
        """Files of at most 5 GB, by the size in the model's name, as owners usually split them."""
        size = _BILLIONS.search(self.model)
        shards = math.ceil(float(size[1]) * _BYTES_OF_A_PARAMETER / _LARGEST_FILE_GB) if size else 1
        if shards == 1:
            return ("model.safetensors",)
        return tuple(f"model-{shard:05d}-of-{shards:05d}.safetensors" for shard in range(1, shards + 1))


def parse(words: Sequence[str], environment: Mapping[str, str], version: Version = NEWEST) -> Arguments:
    """Raises SystemExit with status 2, after a message in vLLM's words, for what that version does not know."""
    parser = argparse.ArgumentParser(prog="vllm serve", add_help=False, allow_abbrev=False)
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--model", default="Qwen/Qwen3-0.6B")
    parser.add_argument("--served-model-name", nargs="+")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-key", nargs="+")
    parser.add_argument("--runner", choices=("auto", "generate", "pooling", "draft"), default="auto")
    parser.add_argument("--max-model-len", type=_count)
    parser.add_argument("--max-num-batched-tokens", type=_count)
    for option in _TLS_FILES:
        parser.add_argument(option)
    parser.add_argument("--ssl-cert-reqs", type=int, default=0)
    for option in _PLAIN:
        parser.add_argument(option)
    for option in _NUMBERS:
        parser.add_argument(option, type=float)
    if version < _NO_SWAP_SPACE_SINCE:
        parser.add_argument("--swap-space", type=float)
    for option in _SWITCHES:
        parser.add_argument(option, action="store_true")
    given = parser.parse_args(words)
    model: str = given.model_tag or given.model
    offline = environment.get("HF_HUB_OFFLINE") == "1"
    detected = any(family in model.lower() for family in _EMBEDDING_FAMILIES)
    return Arguments(
        version=version,
        model=model,
        model_by_option=given.model_tag is None,
        served_names=tuple(given.served_model_name or [model]),
        port=given.port,
        tls={name: value for name, value in vars(given).items() if name.startswith("ssl_") and value},
        pooling=given.runner == "pooling" or (given.runner == "auto" and detected),
        api_keys=tuple(given.api_key or filter(None, [environment.get("VLLM_API_KEY")])),
        max_logprobs=int(given.max_logprobs or _MOST_LOGPROBS),
        vision=any(family in model.lower() for family in _VISION_FAMILIES),
        tool_parser=given.enable_auto_tool_choice and given.tool_call_parser is not None,
        max_model_len=given.max_model_len or (512 if detected else 32_768),
        gated=model.startswith(_GATED) and not (environment.get("HF_TOKEN") or offline),
        offline=offline,
        eager=given.enforce_eager,
        bars=environment.get("TQDM_POSITION") == "-1",
        non_default={name: value for name, value in vars(given).items() if value != parser.get_default(name)},
    )


def _count(text: str) -> int:
    """As vLLM reads it: `k` and `m` are decimal, `K` and `M` binary."""
    multipliers = {"k": 10**3, "m": 10**6, "K": 2**10, "M": 2**20}
    return int(text[:-1]) * multipliers[text[-1]] if text[-1:] in multipliers else int(text)
