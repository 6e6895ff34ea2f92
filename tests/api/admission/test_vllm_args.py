"""Which of vLLM's options may be set, and how they may be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.admission.vllm_args import ALLOWED, SWITCHES, refused
from services.api.admission.vllm_args import given as options
from services.api.admission.vllm_options import options_of
from shared.vllm_version import VllmVersion
from simulator.host.worker.arguments import parse
from simulator.host.worker.version import version_of


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--max-model-len", "8192"],
        ["--max-model-len=32k", "--enforce-eager", "--dtype", "bfloat16"],
        ["--gpu-memory-utilization", "0.92", "--no-enable-prefix-caching"],
        ["--safetensors-load-strategy=prefetch", "--load-format", "fastsafetensors"],
    ],
)
def test_options_that_tune_are_taken_in_either_spelling(arguments: list[str]) -> None:
    assert list(refused(arguments)) == []


@pytest.mark.parametrize(
    ("arguments", "at", "said"),
    [
        (["--api-key", "mine"], 0, "may not be set"),
        (["--enforce-eager", "--host=0.0.0.0"], 1, "may not be set"),
        (["--trust-remote-code"], 0, "may not be set"),
        (["--max-model-len"], 0, "Invalid value"),
        (["--max-model-len", "8192; reboot"], 0, "Invalid value"),
        (["--max-model-len", "8192\n"], 0, "Invalid value"),
        (["--max-model-len="], 0, "Invalid value"),
        (["--enforce-eager=true"], 0, "takes no value"),
        (["--safetensors-load-strategy", "fast"], 0, "it takes one of lazy, eager, prefetch"),
        (["8192"], 0, "may not be set"),
        ([""], 0, "may not be set"),
    ],
)
def test_what_may_not_be_set_is_named_with_its_place(arguments: list[str], at: int, said: str) -> None:
    error = next(refused(arguments))
    assert error.pointer == f"/vllm_args/{at}"
    assert said in error.detail


REVEALING = (
    "--trust-remote-code", "--hf-token", "--hf-overrides", "--hf-config-path", "--tokenizer", "--tokenizer-revision",
    "--code-revision", "--revision", "--model", "--download-dir", "--config", "--chat-template", "--middleware",
    "--tool-parser-plugin", "--reasoning-parser-plugin", "--io-processor-plugin", "--logits-processors",
    "--worker-cls", "--worker-extension-cls", "--scheduler-cls", "--distributed-executor-backend",
    "--allowed-local-media-path", "--model-loader-extra-config", "--speculative-config", "--kv-transfer-config",
    "--additional-config", "--lora-modules", "--enable-prompt-embeds", "--root-path", "--ssl-keyfile", "--host",
)  # fmt: skip
"""Options that load code or another model, read a file, or reveal how the worker was started."""


@pytest.mark.parametrize("option", REVEALING)
def test_what_runs_code_or_reads_files_next_to_the_token_may_not_be_set_in_any_spelling(option: str) -> None:
    underscored = f"--{option[2:].replace('-', '_')}"
    for written in (option, underscored, f"{option}.x", option[:-1], option.upper()):
        for arguments in ([written, "x"], [f"{written}=x"], ["--seed", "1", written]):
            assert "may not be set" in next(refused(arguments)).detail


@given(st.lists(st.sampled_from(ALLOWED) | st.text(max_size=12), max_size=6))
def test_whatever_is_written_is_judged(arguments: list[str]) -> None:
    places = [int(error.pointer.rpartition("/")[2]) for error in refused(arguments)]
    assert places == sorted(set(places))
    assert all(0 <= place < len(arguments) for place in places)


EXAMPLES = {
    "--chat-template-content-format": "openai",
    "--dtype": "bfloat16",
    "--generation-config": "vllm",
    "--gpu-memory-utilization": "0.9",
    "--max-model-len": "32k",
    "--safetensors-load-strategy": "prefetch",
}


def written(name: str) -> str:
    return name if name in SWITCHES else f"{name}={EXAMPLES.get(name, '8')}"


def test_every_option_that_may_be_set_may_have_such_a_value() -> None:
    assert list(refused([written(name) for name in ALLOWED])) == []


@pytest.mark.parametrize("version", ["0.13.0", "0.32.0"])
def test_the_simulated_worker_takes_the_options_that_its_version_has_and_no_others(version: str) -> None:
    real, played = options_of(VllmVersion.parsed(version)), version_of(f"vllm/vllm-openai:v{version}")
    there = [name for name in ALLOWED if f"has no {name}" not in (real.problem(name, "") or "")]
    assert parse([written(name) for name in there], {}, played).max_model_len == 32_000
    for name in set(ALLOWED) - set(there):
        with pytest.raises(SystemExit):
            parse([written(name)], {}, played)


def test_a_slip_of_the_pen_is_told_with_the_option_that_is_nearest() -> None:
    (error,) = refused(["--max_model_len=8192"])
    assert error.detail.startswith("--max_model_len may not be set here. Did you mean --max-model-len?")
    (error,) = refused(["--faster"])
    assert error.detail.startswith("--faster may not be set here. Allowed are --async-scheduling, ")


@pytest.mark.parametrize(
    ("written", "takes"),
    [
        ("--max-model-len=many", "a whole number, such as 8192 or 8k."),
        ("--gpu-memory-utilization=90", "a number up to 1, such as 0.9."),
        ("--dtype=int4", "one of auto, half, float16, bfloat16, float, float32."),
        ("--quantization=a b", "one word of letters, digits, dots, dashes and underscores."),
    ],
)
def test_a_wrong_value_is_told_with_what_the_option_takes(written: str, takes: str) -> None:
    option, _, value = written.partition("=")
    (error,) = refused([written])
    assert error.detail == f"Invalid value {value!r} for {option}: it takes {takes}"


def test_what_is_set_is_read_in_either_spelling_and_the_last_one_counts() -> None:
    arguments = ["--dtype", "half", "--enforce-eager", "--seed=1", "--dtype=float32", "--cpu-offload-gb", "4"]
    expected = {"--dtype": "float32", "--enforce-eager": "", "--seed": "1", "--cpu-offload-gb": "4"}
    assert options(arguments) == expected
