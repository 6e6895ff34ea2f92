"""The tables of vLLM's options and models are made from what its versions say."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from tools.vllm_options import models
from tools.vllm_options.dump import described
from tools.vllm_options.table import table, written


def option(*names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "takes": "text", "choices": None, "default": None, "deprecated": False, **more}


def test_an_option_is_told_from_the_version_that_brought_it_to_the_one_that_dropped_it() -> None:
    made = table({"0.1.0": [], "0.2.0": [option("--a", "-a")], "0.3.0": [option("--a")], "0.4.0": []}, ["--a", "--b"])
    assert made == {
        "versions": ["0.1.0", "0.2.0", "0.3.0", "0.4.0"],
        "options": {"--a": {"there": ["0.2.0", "0.4.0"], "takes": {"0.2.0": "text"}}, "--b": {}},
    }


def test_each_choice_has_its_versions() -> None:
    dumps = {"0.1.0": ["x", "z"], "0.2.0": ["x", "y"], "0.3.0": None, "0.4.0": ["x", "z"]}
    made = table({version: [option("--a", choices=choices)] for version, choices in dumps.items()}, ["--a"])
    assert made["options"]["--a"]["choices"] == {
        "x": ["0.1.0", "0.3.0", "0.4.0"],
        "y": ["0.2.0", "0.3.0"],
        "z": ["0.1.0", "0.2.0", "0.4.0"],
    }


def test_what_changes_is_told_with_the_version_that_changed_it() -> None:
    dumps = {
        "0.1.0": [option("--gpu-memory-utilization", takes="number", default=0.9)],
        "0.2.0": [option("--gpu-memory-utilization", takes="number", default=0.92, deprecated=True)],
        "0.3.0": [option("--gpu-memory-utilization", takes="text", default=0.92)],
    }
    assert table(dumps, ["--gpu-memory-utilization"])["options"]["--gpu-memory-utilization"] == {
        "there": ["0.1.0"],
        "takes": {"0.1.0": "number", "0.3.0": "text"},
        "deprecated": ["0.2.0", "0.3.0"],
        "default": {"0.1.0": 0.9, "0.2.0": 0.92},
    }


def test_a_list_of_versions_is_written_on_one_line() -> None:
    assert written({"versions": ["0.1.0", "0.2.0"], "options": {}}) == (
        '{\n "versions": ["0.1.0", "0.2.0"],\n "options": {}\n}\n'
    )


def a_count(text: str) -> int:
    return int(text.removesuffix("k"))


@pytest.mark.parametrize(
    ("settings", "takes"),
    [
        ({"action": "store_true"}, "nothing"),
        ({"action": argparse.BooleanOptionalAction}, "nothing"),
        ({"type": int}, "whole"),
        ({"type": a_count}, "count"),
        ({"type": float}, "number"),
        ({}, "text"),
    ],
)
def test_what_an_option_takes_is_told_by_what_its_type_accepts(settings: dict[str, Any], takes: str) -> None:
    action = argparse.ArgumentParser().add_argument("--a", **settings)
    assert described(action, deprecated=False)["takes"] == takes


def test_choices_and_a_plain_default_are_told() -> None:
    parser = argparse.ArgumentParser()
    sized = described(parser.add_argument("--size", type=int, choices=[16, 8], default=8), deprecated=True)
    assert sized == option("--size", takes="whole", choices=["16", "8"], default=8, deprecated=True)
    assert described(parser.add_argument("--odd", default=object()), deprecated=False)["default"] is None


REGISTRY = """
_TEXT_GENERATION_MODELS = {"AForCausalLM": ("a", "AForCausalLM"), "BForCausalLM": ("b", "BForCausalLM")}
_EMBEDDING_MODELS = {
    "AModel": ("a", "AForCausalLM"),
    **{name: (file, kind) for name, (file, kind) in _TEXT_GENERATION_MODELS.items() if kind == "AForCausalLM"},
}
_MULTIMODAL_MODELS = {"SpeechForConditionalGeneration": ("speech", "Speech")}
_SPECULATIVE_DECODING_MODELS = {"EagleForCausalLM": ("eagle", "Eagle")}
_PREVIOUSLY_SUPPORTED_MODELS = {"OldForCausalLM": "0.1.0"}
"""


def a_version(folder: Path, registry: str = REGISTRY) -> models.Serves:
    files = {
        "model_executor/models/registry.py": registry,
        "model_executor/models/a.py": "class AForCausalLM:\n    supports_transcription_only = False\n",
        "model_executor/models/speech.py": "class Speech:\n    supports_transcription_only = True\n",
        "model_executor/layers/quantization/__init__.py": (
            'QuantizationMethods = Literal["awq", "old"]\nDEPRECATED_QUANTIZATION_METHODS = ["old"]\n'
        ),
        "transformers_utils/config.py": '_CONFIG_REGISTRY: dict[str, type] = LazyConfigDict(a="AConfig")\n',
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return models.served_by(folder)


def test_what_a_version_serves_is_read_from_its_source(tmp_path: Path) -> None:
    assert a_version(tmp_path) == models.Serves(
        architectures={
            "generate": frozenset({"AForCausalLM", "BForCausalLM"}),
            "embed": frozenset({"AModel", "AForCausalLM"}),
            "classify": frozenset(),
            "transcribe": frozenset({"SpeechForConditionalGeneration"}),
        },
        quantizations=frozenset({"awq"}),
        model_types=frozenset({"a"}),
    )


def test_a_model_is_told_from_the_version_that_brought_it_to_the_one_that_dropped_it(tmp_path: Path) -> None:
    first = a_version(tmp_path)
    later = a_version(tmp_path, REGISTRY.replace("BForCausalLM", "CForCausalLM"))
    known = {"architectures": frozenset({"AForCausalLM"}), "model_types": frozenset({"a"})}
    made = models.table(
        {"0.1.0": first, "0.2.0": later}, {"0.1.0": {part: frozenset() for part in known}, "0.2.0": known}
    )
    assert made["transformers"] == {"architectures": {"AForCausalLM": ["0.2.0"]}, "model_types": {"a": ["0.2.0"]}}
    assert made["architectures"]["generate"] == {
        "AForCausalLM": ["0.1.0"],
        "BForCausalLM": ["0.1.0", "0.2.0"],
        "CForCausalLM": ["0.2.0"],
    }


def test_the_architectures_of_the_transformers_library_are_read_from_its_source(tmp_path: Path) -> None:
    files = {
        "auto_mappings.py": 'CONFIG_MAPPING_NAMES = OrderedDict([("a", "AConfig")])\n',
        "configuration_auto.py": 'CONFIG_MAPPING_NAMES.update({"b-c": "BConfig"})\nX = {"b-c": "b_c"}\n',
        "modeling_auto.py": (
            'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("a", "AForCausalLM"), ("b", ("B1", "B2"))])\n'
            'MODEL_FOR_CTC_MAPPING_NAMES = OrderedDict([("c", "CForCTC")])\n'
        ),
    }
    (tmp_path / "models" / "auto").mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / "models" / "auto" / name).write_text(text)
    assert models.known_to_transformers(tmp_path) == {
        "architectures": {"AForCausalLM", "B1", "B2"},
        "model_types": {"a", "b-c"},
    }
