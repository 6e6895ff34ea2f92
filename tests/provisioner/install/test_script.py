"""What the machine is sent, and what its lines mean, without a machine."""

import dataclasses
import subprocess

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.provisioner.install.output import Image, Output, Phase, parse_line
from services.provisioner.install.script import PHASES, InstallJob, stdin_of

JOB = InstallJob(
    attempt=1, attempt_try=1, image="vllm/vllm-openai:v0.32.0", model="a/b", task="generate", worker_port=8000,
    api_key="secret-key", hf_token="secret-token", host_key_private=None,
)  # fmt: skip
SHELL_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


def test_the_phases_are_those_that_the_script_declares() -> None:
    assert PHASES == (
        "preflight", "host_key", "data_disk", "docker_install", "nvidia_toolkit", "image_pull", "weights",
        "worker_start",
    )  # fmt: skip


def test_a_declared_phase_is_a_phase_and_anything_else_is_output() -> None:
    assert parse_line("::phase::image_pull\n") == Phase("image_pull")
    assert parse_line("::phase::something") == Output("::phase::something")
    assert parse_line("say ::phase::image_pull\r\n") == Output("say ::phase::image_pull")


def test_the_image_that_the_machine_takes_is_told() -> None:
    assert parse_line("::image::vllm/vllm-openai:v0.32.0-cu129\n") == Image("vllm/vllm-openai:v0.32.0-cu129")
    assert JOB.images == ("vllm/vllm-openai:v0.32.0", "vllm/vllm-openai:v0.32.0-cu129")
    assert dataclasses.replace(JOB, image="acme/vllm:v0.32.0").images == ("acme/vllm:v0.32.0",)


@given(arguments=st.lists(SHELL_TEXT, max_size=3), token=SHELL_TEXT)
@settings(max_examples=25)
@pytest.mark.real
def test_whatever_a_job_holds_arrives_unchanged(arguments: list[str], token: str) -> None:
    job = dataclasses.replace(JOB, vllm_args=tuple(arguments), hf_token=token)
    assignments, _, _ = stdin_of(job).partition(b"COLDSTART_INSTALL=")
    show = b'eval "$COLDSTART_JOB"; printf "%s\\0" "$HF_TOKEN" "${VLLM_ARGS[@]}"'
    shown = subprocess.run(["/bin/bash", "-s"], input=assignments + show, capture_output=True, check=True).stdout
    assert shown.decode().split("\0")[:-1] == [token, *arguments]


def test_a_job_does_not_print_its_secrets() -> None:
    assert "secret" not in repr(JOB)


def test_the_public_half_of_the_host_key_goes_along() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    fed = stdin_of(dataclasses.replace(JOB, host_key_private=key.export_private_key().decode())).decode()
    assert key.export_public_key().decode().strip() in fed


def test_attempts_and_tries_count_from_one() -> None:
    with pytest.raises(ValueError, match="count from 1"):
        dataclasses.replace(JOB, attempt_try=0)
