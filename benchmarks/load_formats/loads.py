"""Loads a model again and again in one process, by the loaders of vLLM; it runs in vLLM's environment.

`python loads.py MODEL ROUNDS RESULTS` writes a line of JSON for each load into RESULTS. Without vLLM's start between
them, many rounds take little time, and all see the same machine.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

import torch
from vllm.config import VllmConfig, set_current_vllm_config
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.model_loader import get_model
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.worker.gpu_worker import init_worker_distributed_environment

from benchmarks.load_formats import page_cache
from benchmarks.load_formats.ways import LOADING, Way

_OPTIONS: Final = ("--enforce-eager", "--max-model-len", "512", "--max-num-seqs", "4")


def configuration(model: Path, way: Way) -> VllmConfig:
    parser = EngineArgs.add_cli_args(FlexibleArgumentParser())
    given = parser.parse_args(["--model", str(model), *_OPTIONS, *way.arguments])
    return EngineArgs.from_cli_args(given).create_engine_config()


async def load(model: Path, way: Way, *, cold: bool) -> Mapping[str, Any]:
    """One load: its seconds, and those of processor time."""
    files = page_cache.weights(model)
    await (page_cache.evict(files) if cold else page_cache.warm(files))
    config = configuration(model, way)
    began, cpu_began = time.monotonic(), time.process_time()
    with set_current_vllm_config(config):
        made = get_model(vllm_config=config)
    told = {"way": way.name, "cold": cold, "seconds": time.monotonic() - began}
    told["cpu_s"] = time.process_time() - cpu_began
    del made, config
    gc.collect()
    return told


async def main(model: Path, rounds: int, results: Path) -> None:
    ways = [way for way in LOADING if not way.sharded and not way.host_reads]
    with NamedTemporaryFile() as meeting:
        first = configuration(model, ways[0])
        with set_current_vllm_config(first):
            init_worker_distributed_environment(first, 0, f"file://{meeting.name}", 0, "gloo")
        with results.open("w") as written:
            for number in range(rounds):
                for way in ways if number % 2 == 0 else ways[::-1]:
                    for cold in (True, False):
                        print(json.dumps(await load(model, way, cold=cold)), file=written, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
