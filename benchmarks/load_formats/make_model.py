"""Makes a model with random weights in files of up to 250 MB. It runs in vLLM's environment.

`python make_model.py FOLDER SHAPE`; the shape is of Qwen2's configuration, in JSON.
"""

import json
import sys
from pathlib import Path
from typing import Final

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from real_line.make_models import tokenizer

_VOCABULARY: Final = 151_936
"""Of Qwen2.5. The tokenizer knows a few hundred of them."""
_CONTEXT: Final = 2048


def chat(folder: Path, shape: dict[str, int]) -> None:
    words = tokenizer(_CONTEXT)
    configuration = Qwen2Config(
        **shape,
        vocab_size=_VOCABULARY,
        max_position_embeddings=_CONTEXT,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
        dtype=torch.bfloat16,
    )
    torch.set_default_dtype(torch.bfloat16)
    Qwen2ForCausalLM(configuration).save_pretrained(folder, max_shard_size="250MB")
    words.save_pretrained(folder)


if __name__ == "__main__":
    torch.manual_seed(0)
    chat(Path(sys.argv[1]), json.loads(sys.argv[2]))
