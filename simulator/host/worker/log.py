"""vLLM's own log lines, in the order and the words of 0.13.0 or of 0.32.0."""

import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from .arguments import Arguments
from .version import Version

_GRAPHS: Final = (("mixed prefill-decode, PIECEWISE", 67), ("decode, FULL", 35))
_SIDE_BY_SIDE: Final = 8
"""How many files huggingface_hub downloads at once."""
_SHARD_MEGABYTES: Final = 4_900
_BAR_WIDTH: Final = 10


class Log:
    """Prints to standard output, which is the container's log."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._recent = version.recent

    def started(self, arguments: Arguments) -> None:
        advice = (
            "With `vllm serve`, you should provide the model as a positional argument or in a config file instead of "
            "via the `--model` option. The `--model` option will be removed in a future version."
        )
        if arguments.model_by_option:
            stamp = "" if self._recent else f"WARNING {time.strftime('%m-%d %H:%M:%S')} [argparse_utils.py:195] "
            plain(f"{stamp}{advice}")
        if self._recent:
            self.api_server(f"[api_utils.py:347]  ▄▄ ▄█ █     █     █ ▀▄▀ █  version {self._version}")
            self.api_server(f"[api_utils.py:347]   █▄█▀ █     █     █     █  model   {arguments.model}")
            self.api_server(f"[api_utils.py:286] non-default args: {arguments.non_default}")
        else:
            self.api_server(f"[api_server.py:1351] vLLM API server version {self._version}")
            self.api_server(f"[utils.py:253] non-default args: {arguments.non_default}")

    def loading(self, arguments: Arguments) -> Iterator[float]:
        """Print the load as it goes; yields the share of it that is done by then, from 0 to 1."""
        if self._recent and arguments.bars and not arguments.offline:
            self._tokenizer_bars()
        self.engine(f"[core.py:93] Initializing a V1 LLM engine (v{self._version}) with config: "
                    f"model='{arguments.model}', max_seq_len={arguments.max_model_len}, "
                    "tensor_parallel_size=1")  # fmt: skip
        self.engine(f"[gpu_model_runner.py:3562] Starting to load model {arguments.model}...")
        yield 0.05
        files = arguments.weight_files
        if not arguments.offline:
            yield from self._downloading(arguments, files)
        for shard in range(len(files) + 1):
            # vLLM's own format for this bar ends every state of it with a new line.
            self._printed(f"\rLoading safetensors checkpoint shards: {100 * shard / len(files):3.0f}% Completed | "
                          f"{shard}/{len(files)} [00:00<00:00, 12.00it/s]\n")  # fmt: skip
            yield 0.25 + 0.4 * shard / len(files)
        self.engine("[default_loader.py:308] Loading weights took 24.84 seconds")
        yield 0.7
        if not arguments.eager:
            yield from self._compiling(own_line=arguments.bars)
        took = "32.10 s" if self._recent else "32.10 seconds"
        compiled = " (compilation: 18.53 s)" if self._recent and not arguments.eager else ""
        self.engine(f"[core.py:259] init engine (profile, create kv cache, warmup model) took {took}{compiled}")
        yield 1.0

    def listening(self, port: int) -> None:
        words = (
            "[entry.py:140] Starting vLLM server" if self._recent else "[api_server.py:1099] Starting vLLM API server 0"
        )
        self.api_server(f"{words} on http://0.0.0.0:{port}")
        for line in ("Started server process [1]", "Waiting for application startup.", "Application startup complete."):
            self._uvicorn(line)

    def access(self, client: str, request: str, status: int) -> None:
        self._uvicorn(f'{client} - "{request} HTTP/1.1" {status} {HTTPStatus(status).phrase}')

    def engine_died(self) -> None:
        self.engine("[core.py:874] EngineCore encountered a fatal error.")
        plain("vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.")

    def api_server(self, line: str) -> None:
        """A line of the process that serves HTTP."""
        plain(f"{self._process('APIServer', 1)}{_stamp()} {line}")

    def engine(self, line: str) -> None:
        """A line of the process that holds the model."""
        plain(f"{self._engine_process()}{_stamp()} {line}")

    def _compiling(self, *, own_line: bool) -> Iterator[float]:
        self.engine("[backends.py:643] Using cache directory: /root/.cache/vllm/torch_compile_cache/ for vLLM's "
                    "torch.compile")  # fmt: skip
        self.engine("[backends.py:703] Dynamo bytecode transform time: 6.21 s")
        yield 0.75
        self.engine(f"[monitor.py:34] torch.compile {'took' if self._recent else 'takes'} 18.53 s in total")
        captured, total = 0, sum(graphs for _, graphs in _GRAPHS)
        for kind, graphs in _GRAPHS:
            for graph in (0, graphs * 3 // 7, graphs):
                self._graph_bar(kind, graph, graphs, own_line=own_line)
                yield 0.75 + 0.2 * (captured + graph) / total
            captured += graphs
        self.engine("[gpu_model_runner.py:4587] Graph capturing finished in 5 secs, took 0.61 GiB")

    def _downloading(self, arguments: Arguments, files: Sequence[str]) -> Iterator[float]:
        fetched = dict.fromkeys(files, 0)
        for name, done in _fetching(files):
            fetched[name] = done
            if arguments.bars and not self._recent:
                self._bar(f"(…)eb089e7/{name}", done, _SHARD_MEGABYTES, unit="M")
            yield 0.05 + 0.2 * sum(fetched.values()) / (_SHARD_MEGABYTES * len(files))
        self.engine(f"[weight_utils.py:487] Time spent downloading weights for {arguments.model}: 21.37 seconds")

    def _tokenizer_bars(self) -> None:
        """The only download that huggingface_hub 2 shows: 37 kB, before the first byte of the weights."""
        self._bar("Fetching 7 files", 0, 7)
        self._printed("\rReconstructing (incomplete total...):  98%|█████████▊| 36.0kB / 36.8kB            \x1b[A\n")
        self._bar("Fetching 7 files", 7, 7)
        self._printed("\rDownload complete: ██████████| 36.8kB            \x1b[A\n")

    def _graph_bar(self, kind: str, done: int, total: int, *, own_line: bool) -> None:
        """The bar of vLLM itself, terminal or not: without lines of its own each state overwrites the one before."""
        name = f"Capturing CUDA graphs ({kind})"
        if own_line:
            self._bar(name, done, total)
            return
        prefix = self._printing_process() if done == 0 else ""
        print(f"{prefix}\r{_state(name, done, total)}", end="\n" if done == total else "", flush=True)  # noqa: T201

    def _bar(self, name: str, done: int, total: int, *, unit: str = "") -> None:
        """One state, as tqdm prints it at position -1: a line of its own, with the cursor sent up behind it."""
        self._printed(f"\r{_state(name, done, total, unit=unit)}\x1b[A\n")

    def _printed(self, text: str) -> None:
        """What a library prints in the engine's process, with whatever line ends it has."""
        print(f"{self._printing_process()}{text}", end="", flush=True)  # noqa: T201

    def _uvicorn(self, line: str) -> None:
        plain(f"{self._process('APIServer', 1)}INFO:     {line}")

    def _printing_process(self) -> str:
        """0.32 does not mark what others print."""
        return "" if self._recent else self._engine_process()

    def _engine_process(self) -> str:
        return self._process("EngineCore" if self._recent else "EngineCore_DP0", 148)

    def _process(self, name: str, pid: int) -> str:
        """0.13 colours the name of the process, even without a terminal."""
        return f"({name} pid={pid}) " if self._recent else f"\x1b[0;36m({name} pid={pid})\x1b[0;0m "


def plain(line: str) -> None:
    """A line that did not come through vLLM's logger."""
    print(line, flush=True)  # noqa: T201 - standard output is the log


def _fetching(files: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each file and how many megabytes of it arrived. Of those downloaded side by side, the last ones end first."""
    for first in range(0, len(files), _SIDE_BY_SIDE):
        batch = files[first : first + _SIDE_BY_SIDE]
        yield from ((name, 0) for name in batch)
        yield from ((name, _SHARD_MEGABYTES * 2 // 5) for name in batch)
        yield from ((name, _SHARD_MEGABYTES) for name in reversed(batch))


def _state(name: str, done: int, total: int, *, unit: str = "") -> str:
    filled = _BAR_WIDTH * done // total
    return (f"{name}: {100 * done / total:3.0f}%|{'█' * filled}{' ' * (_BAR_WIDTH - filled)}| "
            f"{done}{unit}/{total}{unit} [00:00<00:00, 24.00it/s]")  # fmt: skip


def _stamp() -> str:
    return f"INFO {time.strftime('%m-%d %H:%M:%S')}"
