"""What a model is for, by its tag and its architecture."""

import pytest
from huggingface_hub import ModelInfo

from services.api.catalogue.hub.client import task_of
from shared.lifecycle.wish import Task


@pytest.mark.parametrize(
    ("tag", "architecture", "library", "task"),
    [
        ("text-generation", "Qwen2ForCausalLM", "transformers", "generate"),
        (None, "Qwen2ForCausalLM", None, "generate"),
        (None, "NobodyForCausalLM", None, "generate"),
        ("summarization", "NobodyForCausalLM", None, None),
        ("image-text-to-text", "Qwen2VLForConditionalGeneration", "transformers", "generate"),
        ("visual-question-answering", "Qwen2VLForConditionalGeneration", "transformers", "generate"),
        (None, "Qwen2VLForConditionalGeneration", "transformers", "generate"),
        ("translation", "Qwen2ForCausalLM", "transformers", "generate"),
        ("automatic-speech-recognition", "Qwen2AudioForConditionalGeneration", "transformers", "generate"),
        ("automatic-speech-recognition", "WhisperForConditionalGeneration", "transformers", None),
        (None, "WhisperForConditionalGeneration", "transformers", None),
        ("feature-extraction", "Qwen3ForCausalLM", "sentence-transformers", "embed"),
        (None, "Qwen2ForCausalLM", "sentence-transformers", "embed"),
        (None, "BertModel", "transformers", "embed"),
        ("text-generation", "BertModel", "transformers", "embed"),
        ("fill-mask", "BertForMaskedLM", "transformers", None),
        ("text-classification", "BertForSequenceClassification", "transformers", None),
        ("text-to-image", None, "diffusers", None),
        (None, None, None, None),
    ],
)
def test_the_tag_says_what_it_is_for_and_the_architecture_whether_that_is_possible(
    tag: str | None, architecture: str | None, library: str | None, task: Task | None
) -> None:
    config = {"architectures": [architecture]} if architecture else {}
    info = ModelInfo(id="acme/model", pipeline_tag=tag, library_name=library, config=config)  # type: ignore[no-untyped-call]
    assert task_of(info) == task
