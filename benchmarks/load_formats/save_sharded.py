"""Has vLLM write a model as `--load-format sharded_state` reads it: `python save_sharded.py MODEL FOLDER`.

As the example of that name in vLLM's documentation. It runs in vLLM's environment.
"""

import shutil
import sys
from pathlib import Path

from vllm import LLM
from vllm.model_executor.model_loader import ShardedStateLoader

if __name__ == "__main__":
    model, folder = map(Path, sys.argv[1:])
    llm = LLM(model=str(model), enforce_eager=True, max_model_len=512, max_num_seqs=4)
    llm.llm_engine.engine_core.save_sharded_state(
        path=str(folder), pattern=ShardedStateLoader.DEFAULT_PATTERN, max_size=250 * 10**6
    )
    for file in model.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, folder)
