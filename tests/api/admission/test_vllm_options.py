"""What each version of vLLM takes, by the table that its own parsers made."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.api.admission import vllm_options
from services.api.admission.vllm_args import ALLOWED, SWITCHES
from services.api.admission.vllm_images import warnings
from services.api.admission.vllm_options import TABLE_FILE, VllmOptions, options_of, supported
from services.api.catalogue.image_versions import ImageVersions
from shared.lifecycle.wish import Findings, Wish
from shared.vllm_version import VllmVersion

FIRST, LAST = VllmVersion(0, 13, 0), VllmVersion(0, 32, 0)


@pytest.mark.parametrize("version", ["0.13.0", "0.17.1"])
def test_swap_space_is_taken_before_0_18(version: str) -> None:
    assert options_of(VllmVersion.parsed(version)).problem("--swap-space", "4") is None


@pytest.mark.parametrize("version", ["0.18.0", "0.32.0"])
def test_swap_space_is_refused_from_0_18_on(version: str) -> None:
    assert options_of(VllmVersion.parsed(version)).problem("--swap-space", "4") == (
        f"vLLM {version} has no --swap-space: 0.18.0 removed it. "
        "Leave it out, or choose an image of an earlier version."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("--dtype", "bfloat16"), ("--max-model-len", "32k"), ("--max-num-seqs", "8"), ("--cpu-offload-gb", "4.5"),
        ("--gpu-memory-utilization", ".9"), ("--tool-call-parser", "hermes"), ("--reasoning-parser", "qwen3"),
        ("--quantization", "fp8"), ("--load-format", "anything"), ("--enforce-eager", ""),
        ("--safetensors-load-strategy", "prefetch"),
    ],
)  # fmt: skip
def test_values_of_the_right_form_are_taken_by_the_first_and_the_last_version(name: str, value: str) -> None:
    assert [options_of(version).problem(name, value) for version in (FIRST, LAST)] == [None, None]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("--dtype", "int8", "auto, bfloat16, float, float16, float32, half."),
        ("--tool-call-parser", "nobody", ", "),
        ("--reasoning-parser", "nobody", ", "),
        ("--quantization", "nothing", ", "),
        ("--max-num-seqs", "8k", "a whole number."),
        ("--max-num-seqs", "0.5", "a whole number."),
        ("--max-model-len", "long", "a whole number, such as 8192 or 8k."),
        ("--swap-space", "much", "a number."),
    ],
)
def test_a_value_that_the_version_refuses_is_refused_with_what_it_takes(name: str, value: str, said: str) -> None:
    problem = options_of(FIRST).problem(name, value)
    assert problem is not None
    start, _, end = problem.partition(" takes ")
    assert start == f"Invalid value {value!r} for {name}: vLLM 0.13.0"
    assert said in end


def test_a_value_counts_in_the_versions_that_know_it() -> None:
    assert options_of(LAST).problem("--kv-cache-dtype", "nvfp4") is None
    problem = options_of(FIRST).problem("--kv-cache-dtype", "nvfp4")
    assert problem is not None
    assert "nvfp4" not in problem.partition(" takes ")[2]


def test_an_option_that_no_version_has_is_told_so() -> None:
    assert options_of(LAST).problem("--faster", "") == "vLLM 0.32.0 has no --faster."


def test_the_share_of_memory_that_vllm_uses_has_grown() -> None:
    assert options_of(FIRST).default("--gpu-memory-utilization") == 0.9
    assert options_of(LAST).default("--gpu-memory-utilization") == 0.92


@pytest.mark.parametrize(
    ("wanted", "known"),
    [("0.13.0", FIRST), ("0.13.9", FIRST), ("0.11.2", FIRST), ("0.32.0", LAST), ("0.33.0", LAST), ("1.0.0", LAST)],
)
def test_an_unknown_version_has_the_options_of_the_one_before_it(wanted: str, known: VllmVersion) -> None:
    options = options_of(VllmVersion.parsed(wanted))
    assert (options.known, str(options.wanted)) == (known, wanted)


def test_the_table_is_sorted_and_has_the_options_that_may_be_set_and_no_others() -> None:
    table = json.loads(TABLE_FILE.read_text())
    assert list(table["options"]) == ALLOWED
    assert list(supported()) == sorted(set(supported()))
    assert (supported()[0], supported()[-1]) == (FIRST, LAST)
    for option in table["options"].values():
        assert list(option.get("choices", ())) == sorted(option.get("choices", ()))


def test_a_switch_here_is_a_switch_there() -> None:
    table = json.loads(TABLE_FILE.read_text())
    assert {name for name, option in table["options"].items() if "nothing" in option["takes"].values()} == SWITCHES


MADE = {
    "versions": ["0.1.0", "0.2.0", "0.3.0"],
    "options": {
        "--new": {"there": ["0.2.0"], "takes": {"0.2.0": "nothing"}},
        "--back": {"there": ["0.1.0", "0.2.0", "0.3.0"], "takes": {"0.1.0": "nothing"}},
        "--aging": {
            "there": ["0.1.0"],
            "takes": {"0.1.0": "whole", "0.3.0": "text"},
            "choices": {"8": ["0.2.0", "0.3.0"]},
            "deprecated": ["0.2.0"],
        },
    },
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Another table."""
    file = tmp_path / "table.json"
    file.write_text(json.dumps(MADE))
    monkeypatch.setattr(vllm_options, "TABLE_FILE", file)
    vllm_options._table.cache_clear()
    yield
    vllm_options._table.cache_clear()


def of(version: str) -> VllmOptions:
    return options_of(VllmVersion.parsed(version))


@pytest.mark.usefixtures("made")
def test_an_option_that_came_later_is_refused_with_the_version_that_has_it() -> None:
    assert of("0.1.0").problem("--new", "") == (
        "vLLM 0.1.0 has no --new: 0.2.0 added it. Leave it out, or choose an image of a later version."
    )
    assert of("0.2.0").problem("--new", "") is None


@pytest.mark.usefixtures("made")
def test_an_option_may_come_back() -> None:
    assert [of(version).problem("--back", "") is None for version in ("0.1.0", "0.2.0", "0.3.0")] == [True, False, True]


@pytest.mark.usefixtures("made")
def test_what_an_option_takes_may_change_from_version_to_version() -> None:
    values = {version: [of(version).problem("--aging", value) is None for value in ("8", "9", "x")] for version in (
        "0.1.0", "0.2.0", "0.3.0",
    )}  # fmt: skip
    assert values == {"0.1.0": [True, True, False], "0.2.0": [True, False, False], "0.3.0": [True, True, True]}


@pytest.mark.usefixtures("made")
def test_an_option_is_deprecated_from_one_version_on() -> None:
    assert [of(version).is_deprecated("--aging") for version in ("0.1.0", "0.2.0", "0.3.0")] == [False, True, True]
    wish = Wish(name="x", model="a/b", image="vllm/vllm-openai:v0.2.0", vllm_args=("--aging=8",))
    warned = list(warnings(wish, Findings(), (), ImageVersions()))
    assert "--aging is deprecated in vLLM 0.2.0: a later version may refuse it." in warned
