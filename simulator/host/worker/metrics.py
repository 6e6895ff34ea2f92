"""The part of vLLM's metrics that tells of load and of what was served."""

from collections.abc import Iterable
from typing import Final

from .engine import Engine
from .http import Reply

_CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"
_AT_ONCE: Final = 256
"""vLLM's default of `--max-num-seqs`: so many requests fill the simulated cache."""
_BOUNDS: Final = (
    "0.001", "0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "7.5",
    "10.0", "20.0", "40.0", "80.0", "160.0", "640.0", "2560.0", "+Inf",
)  # fmt: skip


class Metrics:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.running = 0
        self._served = dict.fromkeys(("stop", "length", "abort", "error"), 0)

    def served(self, finish_reasons: Iterable[str]) -> None:
        for reason in finish_reasons:
            self._served[reason] += 1

    async def __call__(self) -> Reply:
        model = f'engine="0",model_name="{self._engine.arguments.served_names[0]}"'
        values = (
            ("vllm:num_requests_running", "gauge", "Number of requests in model execution batches.", self.running),
            ("vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.", 0),
            ("vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.",
             min(1.0, self.running / _AT_ONCE)),
            ("vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.", self._engine.prompt_tokens),
            ("vllm:generation_tokens_total", "counter", "Number of generation tokens processed.",
             self._engine.generation_tokens),
        )  # fmt: skip
        shown = "".join(
            f"# HELP {name} {text}\n# TYPE {name} {kind}\n{name}{{{model}}} {float(value)}\n"
            for name, kind, text, value in values
        )
        name = "vllm:request_success_total"
        succeeded = "".join(
            f'{name}{{{model},finished_reason="{reason}"}} {float(count)}\n' for reason, count in self._served.items()
        )
        head = f"# HELP {name} Count of successfully processed requests.\n# TYPE {name} counter\n"
        first_token = self._first_token(model)
        return Reply(f"{shown}{head}{succeeded}{first_token}", content_type=_CONTENT_TYPE)

    def _first_token(self, model: str) -> str:
        """Every answer's first token comes after one token's time."""
        name, answers, seconds = "vllm:time_to_first_token_seconds", self._engine.answers, self._engine.token_seconds
        buckets = "".join(
            f'{name}_bucket{{{model},le="{bound}"}} {float(answers if seconds <= float(bound) else 0)}\n'
            for bound in _BOUNDS
        )
        head = f"# HELP {name} Histogram of time to first token in seconds.\n# TYPE {name} histogram\n"
        total = f"{name}_count{{{model}}} {float(answers)}\n{name}_sum{{{model}}} {answers * seconds}\n"
        return f"{head}{buckets}{total}"
