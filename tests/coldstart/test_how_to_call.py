"""What is printed to be pasted works when it is pasted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldstart.client_settings import ClientSettings
from coldstart.how_to_call import endpoint, program
from coldstart.stack.files import Reach, write_reach
from shared.lifecycle.wish import Task
from tests.coldstart.fake_api import FakeApi, values

MODEL = "it's/a-model"
KEY = "cs-admin-the-key-of-this-stack"


@pytest.fixture
def data_dir(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "admin-key").write_text(KEY)
    write_reach(folder, Reach(api.url, KEY, "", "", None, os.getpid()))
    monkeypatch.chdir(tmp_path)
    return folder


def pasted(lines: Iterator[str], **environment: str) -> subprocess.CompletedProcess[str]:
    curl = next(line.removeprefix("try it").strip() for line in lines if line.startswith("try it"))
    assert KEY not in curl
    path = {"PATH": "/usr/local/bin:/usr/bin:/bin", **environment}
    return subprocess.run(["/bin/sh", "-c", curl], capture_output=True, text=True, timeout=30, check=False, env=path)


@pytest.mark.parametrize(
    ("task", "path", "field"), [("generate", "/v1/chat/completions", "messages"), ("embed", "/v1/embeddings", "input")]
)
def test_the_line_asks_the_model_with_the_stacks_own_key(
    api: FakeApi, data_dir: Path, task: Task, path: str, field: str
) -> None:
    api.says("POST", path, values({"answered": True}))
    done = pasted(endpoint(api.url, MODEL, task, None, ClientSettings(data_dir=data_dir)))
    assert (json.loads(done.stdout), done.stderr) == ({"answered": True}, "")
    (asked,) = api.asked
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body is not None
    assert asked.body["model"] == MODEL
    assert field in asked.body


def test_a_key_that_was_given_is_taken_from_where_it_was_given(api: FakeApi, data_dir: Path) -> None:
    api.says("POST", "/v1/chat/completions", values({"answered": True}))
    settings = ClientSettings(data_dir=data_dir, api_url=api.url, api_key="cs-mine")
    done = pasted(endpoint(api.url, MODEL, "generate", None, settings), COLDSTART_API_KEY="cs-mine")
    assert json.loads(done.stdout) == {"answered": True}
    assert api.asked[0].headers["authorization"] == "Bearer cs-mine"


def test_without_a_file_of_the_key_in_use_one_is_made(api: FakeApi, data_dir: Path) -> None:
    (data_dir / "admin-key").write_text("of an earlier time")
    lines = list(endpoint(api.url, MODEL, "generate", None, ClientSettings(data_dir=data_dir)))
    assert "keys create curl)" in lines[-1]
    assert (
        "keys create 'my laptop' --organization acme"
        in list(endpoint(api.url, MODEL, "generate", "acme", ClientSettings(data_dir=data_dir)))[2]
    )


def test_the_program_is_named_as_this_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_ = tmp_path / ".venv/bin"
    bin_.mkdir(parents=True)
    (bin_ / "coldstart").write_text("#!/bin/sh\n")
    (bin_ / "coldstart").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bin_ / "python"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program() == ".venv/bin/coldstart"
    monkeypatch.setenv("PATH", str(bin_))
    assert program() == "coldstart"
    monkeypatch.setenv("COLDSTART_DATA_DIR", "a folder")
    assert program() == f"COLDSTART_DATA_DIR='{tmp_path}/a folder' coldstart"
    (bin_ / "coldstart").unlink()
    assert program().endswith(".venv/bin/python -m coldstart")
