"""A real bash completes commands, options and the names that the API knows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from tests.coldstart.fake_api import FakeApi, page, problem
from tests.coldstart.told import an_instance

BASH = shutil.which("bash") or "bash"
SCRIPT = """
eval "$(coldstart completion bash)"
COMP_WORDS=($1) COMP_CWORD=$2
$(complete -p coldstart | sed 's/.*-F \\([^ ]*\\).*/\\1/') coldstart
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(typed: str, api: FakeApi) -> list[str]:
    """What bash would offer for the last word; a space at the end begins an empty one."""
    words = typed.split()
    last = len(words) if typed.endswith(" ") else len(words) - 1
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLDSTART_API_URL": api.url, "COLDSTART_API_KEY": "a-key"}
    done = subprocess.run(
        [BASH, "-c", SCRIPT, "bash", typed, str(last)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.real
def test_bash_completes_commands_and_names(api: FakeApi) -> None:
    api.says("GET", "/instances", page(an_instance(), an_instance(name="llama")))
    api.says("GET", "/deployments", page({"name": "chat"}))
    assert completed("coldstart instanc", api) == ["instance-types", "instances"]
    assert completed("coldstart instances show ", api) == ["llama", "qwen"]
    assert completed("coldstart instances terminate ll", api) == ["llama"]
    assert completed("coldstart deployments show c", api) == ["chat"]


@pytest.mark.real
def test_an_api_that_refuses_completes_nothing_and_says_nothing(api: FakeApi) -> None:
    api.says("GET", "/instances", problem(401, "No such key", "See COLDSTART_API_KEY."))
    assert completed("coldstart instances show ", api) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_for_each_shell(shell: str) -> None:
    assert "_COLDSTART_COMPLETE" in CliRunner().invoke(app, ["completion", shell]).stdout
