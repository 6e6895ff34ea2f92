"""The part of vLLM's metrics that tells of load and of what was served."""

from collections.abc import Iterable
from typing import Final

from .engine import Engine
from .http import Reply

_CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"


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
            ("vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", 0.0),
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
        return Reply(f"{shown}{head}{succeeded}", content_type=_CONTENT_TYPE)
