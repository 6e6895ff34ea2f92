"""vLLM's own log lines, in the order and the words of v0.13.0."""

import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from .arguments import Arguments

_GRAPHS: Final = 67
_SIDE_BY_SIDE: Final = 8
"""How many files huggingface_hub downloads at once."""
_SHARD_MEGABYTES: Final = 4_900
_BAR_WIDTH: Final = 10


def api_server(line: str) -> None:
    """A line of the process that serves HTTP."""
    print(f"(APIServer pid=1) {_stamp()} {line}", flush=True)  # noqa: T201 - standard output is the log


def engine(line: str) -> None:
    """A line of the process that holds the model."""
    print(f"(EngineCore_DP0 pid=148) {_stamp()} {line}", flush=True)  # noqa: T201


def engine_process(text: str) -> None:
    """What a library prints in that process, with whatever line ends it has."""
    print(f"(EngineCore_DP0 pid=148) {text}", end="", flush=True)  # noqa: T201


def plain(line: str) -> None:
    """A line that did not come through vLLM's logger."""
    print(line, flush=True)  # noqa: T201


def started(arguments: Arguments) -> None:
    if arguments.model_by_option:
        plain(f"WARNING {time.strftime('%m-%d %H:%M:%S')} [argparse_utils.py:195] With `vllm serve`, you should "
              "provide the model as a positional argument or in a config file instead of via the `--model` option. "
              "The `--model` option will be removed in a future version.")  # fmt: skip
    api_server(f"[api_server.py:1351] vLLM API server version {arguments.version}")
    api_server(f"[utils.py:253] non-default args: {arguments.non_default}")


def loading(arguments: Arguments) -> Iterator[float]:
    """Print the load as it goes; yields the share of it that is done by then, from 0 to 1."""
    engine(f"[core.py:93] Initializing a V1 LLM engine (v{arguments.version}) with config: model='{arguments.model}', "
           f"max_seq_len={arguments.max_model_len}, tensor_parallel_size=1")  # fmt: skip
    engine(f"[gpu_model_runner.py:3562] Starting to load model {arguments.model}...")
    yield 0.05
    files = arguments.weight_files
    fetched = dict.fromkeys(files, 0)
    for name, done in _fetching(files):
        fetched[name] = done
        if arguments.bars:
            _file_bar(name, done)
        yield 0.05 + 0.2 * sum(fetched.values()) / (_SHARD_MEGABYTES * len(files))
    engine(f"[weight_utils.py:487] Time spent downloading weights for {arguments.model}: 21.37 seconds")
    for shard in range(len(files) + 1):
        # vLLM's own format for this bar ends every state of it with a new line.
        engine_process(f"\rLoading safetensors checkpoint shards: {100 * shard / len(files):3.0f}% Completed | "
                       f"{shard}/{len(files)} [00:00<00:00, 12.00it/s]\n")  # fmt: skip
        yield 0.25 + 0.4 * shard / len(files)
    engine("[default_loader.py:308] Loading weights took 24.84 seconds")
    engine("[backends.py:643] Using cache directory: /root/.cache/vllm/torch_compile_cache/ for vLLM's torch.compile")
    yield 0.7
    engine("[backends.py:703] Dynamo bytecode transform time: 6.21 s")
    yield 0.75
    engine("[monitor.py:34] torch.compile takes 18.53 s in total")
    for graph in (0, _GRAPHS * 3 // 7, _GRAPHS):
        _graph_bar(graph, own_line=arguments.bars)
        yield 0.75 + 0.2 * graph / _GRAPHS
    engine("[gpu_model_runner.py:4587] Graph capturing finished in 5 secs, took 0.61 GiB")
    engine("[core.py:259] init engine (profile, create kv cache, warmup model) took 32.10 seconds")
    yield 1.0


def listening(port: int) -> None:
    api_server(f"[api_server.py:1099] Starting vLLM API server 0 on http://0.0.0.0:{port}")
    plain("(APIServer pid=1) INFO:     Started server process [1]")
    plain("(APIServer pid=1) INFO:     Waiting for application startup.")
    plain("(APIServer pid=1) INFO:     Application startup complete.")


def engine_died() -> None:
    engine("[core.py:874] EngineCore encountered a fatal error.")
    plain("vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.")


def access(client: str, request: str, status: int) -> None:
    plain(f'(APIServer pid=1) INFO:     {client} - "{request} HTTP/1.1" {status} {HTTPStatus(status).phrase}')


def _fetching(files: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each file and how many megabytes of it arrived. Of those downloaded side by side, the last ones end first."""
    for first in range(0, len(files), _SIDE_BY_SIDE):
        batch = files[first : first + _SIDE_BY_SIDE]
        yield from ((name, 0) for name in batch)
        yield from ((name, _SHARD_MEGABYTES * 2 // 5) for name in batch)
        yield from ((name, _SHARD_MEGABYTES) for name in reversed(batch))


def _file_bar(name: str, done: int) -> None:
    """One state, as tqdm prints it at position -1: a line of its own, with the cursor sent up behind it."""
    engine_process(f"\r{_bar(name, done, _SHARD_MEGABYTES, unit='M')}\x1b[A\n")


def _graph_bar(done: int, *, own_line: bool) -> None:
    """The bar of vLLM itself, terminal or not: without lines of its own each state overwrites the one before."""
    state = f"\r{_bar('Capturing CUDA graphs (mixed prefill-decode, PIECEWISE)', done, _GRAPHS)}"
    if own_line:
        engine_process(f"{state}\x1b[A\n")
    else:
        prefix = "(EngineCore_DP0 pid=148) " if done == 0 else ""
        print(prefix + state, end="\n" if done == _GRAPHS else "", flush=True)  # noqa: T201


def _bar(name: str, done: int, total: int, *, unit: str = "") -> str:
    filled = _BAR_WIDTH * done // total
    return (f"{name}: {100 * done / total:3.0f}%|{'█' * filled}{' ' * (_BAR_WIDTH - filled)}| "
            f"{done}{unit}/{total}{unit} [00:00<00:00, 24.00it/s]")  # fmt: skip


def _stamp() -> str:
    return f"INFO {time.strftime('%m-%d %H:%M:%S')}"
