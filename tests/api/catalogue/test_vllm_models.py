"""What is known of the models that each version of vLLM serves."""

import pytest

from services.api.admission.vllm_options import supported
from services.api.catalogue import vllm_models
from shared.lifecycle.wish import Task
from shared.vllm_version import VllmVersion

FIRST, LAST = VllmVersion(0, 13, 0), VllmVersion(0, 32, 0)


@pytest.mark.parametrize(
    ("architecture", "task", "by"),
    [
        ("Qwen2ForCausalLM", "generate", (True, True)),
        ("Qwen2ForCausalLM", "embed", (True, True)),
        ("Qwen2VLForConditionalGeneration", "generate", (True, True)),
        ("BertModel", "embed", (True, True)),
        ("BertModel", "generate", (False, False)),
        ("Qwen3Model", "embed", (True, True)),
        ("Qwen3_5ForConditionalGeneration", "generate", (False, True)),
        ("AquilaForCausalLM", "generate", (True, False)),
        ("WhisperForConditionalGeneration", "generate", (False, False)),
        ("EagleLlamaForCausalLM", "generate", (False, False)),
        ("NobodyForCausalLM", "generate", (False, False)),
        ("Model", "embed", (False, False)),
    ],
)
def test_each_version_serves_what_its_own_registry_has(architecture: str, task: Task, by: tuple[bool, bool]) -> None:
    assert tuple(vllm_models.serves(architecture, task, version) for version in (FIRST, LAST)) == by


def test_who_added_or_removed_a_model_is_known() -> None:
    assert vllm_models.history("Qwen3_5ForConditionalGeneration", "generate", FIRST) == (
        ": 0.17.0 added it. Choose an image of a later version"
    )
    assert vllm_models.history("AquilaForCausalLM", "generate", LAST) == (
        ": 0.25.0 removed it. Choose an image of an earlier version"
    )
    assert vllm_models.history("NobodyForCausalLM", "generate", LAST) == ""


def test_a_quantization_is_known_by_its_other_names() -> None:
    methods = ("awq", "compressed_tensors", "auto-round", "bitsandbytes", "fbgemm_fp8", "exl2")
    assert [vllm_models.serves_quantization(method, FIRST) for method in methods] == [True] * 5 + [False]
    assert [vllm_models.serves_quantization(method, LAST) for method in methods] == [True] * 3 + [False] * 3
    assert vllm_models.quantization_history("bitsandbytes", LAST).startswith(": 0.28.0 removed it.")


def test_the_tasks_of_an_architecture_are_those_of_any_version() -> None:
    assert vllm_models.tasks_of(["OPTForCausalLM"]) == {"generate"}
    assert vllm_models.tasks_of(["AquilaForCausalLM"]) == {"generate", "embed"}, "by earlier versions"
    assert vllm_models.tasks_of(["WhisperForConditionalGeneration"]) == {"transcribe"}
    assert vllm_models.tasks_of(["BertForSequenceClassification"]) == {"classify"}
    assert vllm_models.tasks_of(["BertGenerationDecoder"]) == {"generate"}, "by the Transformers library"
    assert vllm_models.tasks_of(["NobodyForCausalLM"]) == set()


def test_both_tables_are_of_the_same_versions() -> None:
    assert vllm_models.versions() == supported()
