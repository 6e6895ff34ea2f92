"""Makes models with random weights: `chat` and `large` (Qwen2), and `embedding` (BERT). It runs in vLLM's image.

`python3 make_models.py FOLDER`. Their answers mean nothing. Everything else about them is as in large models: weights
in several shards, a byte-level tokenizer, a chat template with tools.
"""

import sys
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

END: Final = "<|im_end|>"
PAD: Final = "<|endoftext|>"
TEMPLATE: Final = (
    "{% if tools %}<|im_start|>system\nTools: {{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT: Final = "What is the capital of France? Paris. The quick brown fox jumps over the lazy dog. 0123456789 {}[]:,"


def tokenizer(longest: int) -> PreTrainedTokenizerFast:
    """Every byte is a token, and so are common pairs of the text above. `longest` is in tokens."""
    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = [PAD, "<|im_start|>", END]
    trainer = trainers.BpeTrainer(vocab_size=800, special_tokens=special, initial_alphabet=alphabet)
    bytewise.train_from_iterator([TEXT] * 20, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token=END, pad_token=PAD, model_max_length=longest)
    made.chat_template = TEMPLATE
    return made


def chat(folder: Path) -> None:
    """126 MB in four shards, so that a download takes some seconds; 2,048 tokens of context."""
    qwen2(folder, layers=10, hidden=768, intermediate=2048, heads=12, shard="35MB")


def large(folder: Path) -> None:
    """364 MB in five shards, so that a download takes as long as the image's; 2,048 tokens of context."""
    qwen2(folder, layers=16, hidden=1024, intermediate=2816, heads=16, shard="75MB")


def qwen2(folder: Path, *, layers: int, hidden: int, intermediate: int, heads: int, shard: str) -> None:
    words = tokenizer(2048)
    configuration = Qwen2Config(
        vocab_size=-(-len(words) // 64) * 64,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    Qwen2ForCausalLM(configuration).to(torch.bfloat16).save_pretrained(folder, max_shard_size=shard)
    words.save_pretrained(folder)


def embedding(folder: Path) -> None:
    words = tokenizer(512)
    configuration = BertConfig(
        vocab_size=len(words),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=512,
        pad_token_id=words.pad_token_id,
    )
    BertModel(configuration).save_pretrained(folder)
    words.save_pretrained(folder)


if __name__ == "__main__":
    torch.manual_seed(0)
    for make in (chat, embedding, large):
        make(Path(sys.argv[1]) / make.__name__)
