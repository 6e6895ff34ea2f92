"""The ways in which vLLM may load a model: its load formats and strategies, and a reader beside its start."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Way:
    """`arguments` of vLLM. `host_reads`: another program reads the files while vLLM starts.

    `eager`: nothing is compiled. `kept_caches`: what an earlier start has compiled is there. `sharded`: it reads the
    model as vLLM itself has written it.
    """

    name: str
    arguments: tuple[str, ...] = ()
    host_reads: bool = False
    eager: bool = True
    kept_caches: bool = False
    sharded: bool = False


DEFAULT: Final = Way("auto")
LOADING: Final = (
    DEFAULT,
    Way("safetensors", ("--load-format", "safetensors")),
    Way("eager", ("--safetensors-load-strategy", "eager")),
    Way("prefetch", ("--safetensors-load-strategy", "prefetch")),
    Way("8 threads", ("--model-loader-extra-config", '{"enable_multithread_load": true, "num_threads": 8}')),
    Way("read by the host", host_reads=True),
    Way("runai_streamer", ("--load-format", "runai_streamer")),
    Way("sharded_state", ("--load-format", "sharded_state"), sharded=True),
    Way("dummy", ("--load-format", "dummy")),
)
"""Each with nothing compiled, so that a start is short. The second is the first by another name: how much both differ
is how exact the others are. The last one reads nothing."""
NOT_ON_A_CPU: Final = (
    Way("fastsafetensors", ("--load-format", "fastsafetensors")),
    Way("instanttensor", ("--load-format", "instanttensor")),
    Way("ipc_cache", ("--load-format", "ipc_cache")),
    Way("tensorizer", ("--load-format", "tensorizer")),
    Way("modelexpress", ("--load-format", "modelexpress")),
)
"""Expected to fail: tried once, for what they say."""
COMPILING: Final = (
    Way("--enforce-eager"),
    Way("compiled", eager=False),
    Way("compiled before", eager=False, kept_caches=True),
)
