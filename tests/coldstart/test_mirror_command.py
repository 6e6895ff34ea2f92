"""`coldstart models mirror`, from a small hub into a server that checks every signature."""

import json
from collections.abc import Generator
from hashlib import sha256
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.mirroring import copying, download
from shared.weights_mirror.layout import MirrorManifest
from tests.s3_server import SECRET, Refusal, S3Request, S3Server, s3_server
from tests.tiny_hub import COMMIT, MODEL, TinyHub, tiny_hub

pytestmark = pytest.mark.real

TOKEN = "hf_a-token-of-the-hub"
PART = 100_000
FOLDER = f"weights/{MODEL}"


@pytest.fixture
def s3() -> Generator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def hub() -> Generator[TinyHub]:
    with tiny_hub() as server:
        yield server


@pytest.fixture(autouse=True)
def _configured(s3: S3Server, hub: TinyHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.settings().items():
        monkeypatch.setenv(f"COLDSTART_{name.upper()}", value)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(copying, "PART", PART)
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.0)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["models", "mirror", *words])


def manifest(s3: S3Server) -> MirrorManifest:
    return MirrorManifest.model_validate_json(s3.objects[f"{FOLDER}/{COMMIT}/manifest.json"].content)


def put(s3: S3Server) -> list[str]:
    """The keys that were written, each once."""
    return list(dict.fromkeys(key.removeprefix(f"{FOLDER}/{COMMIT}/") for key in s3.got("PUT")))


def test_a_commit_s_files_are_copied_and_the_manifest_comes_last(s3: S3Server, hub: TinyHub) -> None:
    result = run(MODEL)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{MODEL}  {COMMIT}  4 files, 0.00 GB\n"
    assert "100%" in result.stderr
    read = {path: content for path, content in hub.files.items() if path != "README.md"}
    for path, content in read.items():
        assert s3.objects[f"{FOLDER}/{COMMIT}/{path}"].content == content
    described = {file.path: (file.bytes, file.sha256) for file in manifest(s3).files}
    assert described == {path: (len(content), sha256(content).hexdigest()) for path, content in read.items()}
    assert {file.path for file in manifest(s3).files if file.git_blob} == {"config.json", "code/a b.py"}
    assert s3.objects[f"{FOLDER}/refs/main"].content.decode() == COMMIT
    assert s3.got("PUT")[-2:] == [f"{FOLDER}/{COMMIT}/manifest.json", f"{FOLDER}/refs/main"]
    assert not s3.uploads


def test_the_token_is_the_hub_s_alone_and_the_mirror_s_keys_are_nobody_s(s3: S3Server, hub: TinyHub) -> None:
    assert run(MODEL).exit_code == 0
    sent = {path: headers.get("authorization") for path, headers in hub.asked}
    assert sent[f"/{MODEL}/resolve/{COMMIT}/model-1.safetensors"] == f"Bearer {TOKEN}"
    assert sent["/cdn/model-1.safetensors"] is None
    assert TOKEN not in str(s3.asked)
    assert SECRET not in str(s3.asked) + str(hub.asked)


def test_what_is_there_and_right_is_not_sent_again(s3: S3Server, hub: TinyHub) -> None:
    assert run(MODEL, "--revision", "v1").exit_code == 0
    assert s3.objects[f"{FOLDER}/refs/v1"].content.decode() == COMMIT
    del s3.objects[f"{FOLDER}/{COMMIT}/model-2.safetensors"]
    s3.asked.clear()
    hub.asked.clear()
    assert json.loads(run(MODEL, "--revision", COMMIT, "--json").stdout)["commit"] == COMMIT
    assert put(s3) == ["model-2.safetensors", "manifest.json"]
    assert [name for name in hub.sent() if name != "config.json"] == ["model-2.safetensors"] * 2
    assert f"{FOLDER}/refs/{COMMIT}" not in s3.objects


def test_a_file_of_another_size_or_of_another_program_is_replaced(s3: S3Server, hub: TinyHub) -> None:
    assert run(MODEL).exit_code == 0
    for path in ("model-1.safetensors", "config.json"):
        key = f"{FOLDER}/{COMMIT}/{path}"
        s3.objects[key] = type(s3.objects[key])(b"other", {})
    s3.asked.clear()
    assert run(MODEL).exit_code == 0
    assert set(put(s3)) == {"model-1.safetensors", "config.json", "manifest.json", f"{FOLDER}/refs/main"}
    assert s3.objects[f"{FOLDER}/{COMMIT}/config.json"].content == hub.files["config.json"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_goes_on_where_it_was(s3: S3Server, hub: TinyHub, ranges: bool) -> None:
    hub.breaks_off, hub.ranges = 3, ranges
    assert run(MODEL).exit_code == 0
    for path, content in hub.large.items():
        assert s3.objects[f"{FOLDER}/{COMMIT}/{path}"].content == content


def test_of_a_hub_that_lies_nothing_wrong_is_in_the_mirror_and_no_manifest(s3: S3Server, hub: TinyHub) -> None:
    hub.lies = {"model-1.safetensors": b"x" * len(hub.files["model-1.safetensors"])}
    result = run(MODEL)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "model-1.safetensors came 3 times, and each time its checksum was not the hub's.",
    )
    assert not {path for path in s3.objects if path.endswith(("model-1.safetensors", "manifest.json", "main"))}
    assert not s3.uploads
    hub.lies.clear()
    assert run(MODEL).exit_code == 0


def test_a_mirror_without_room_says_so_and_keeps_no_half_of_a_file(s3: S3Server) -> None:
    s3.room = 350_000
    result = run(MODEL)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].endswith("has no room left: free some, or raise its quota.")
    assert not s3.uploads
    assert f"{FOLDER}/{COMMIT}/manifest.json" not in s3.objects


def test_what_a_killed_copying_has_left_takes_no_room(s3: S3Server) -> None:
    def refuse(asked: S3Request) -> None:
        if asked.method == "DELETE" or asked.query.get("partNumber") == "3":
            raise Refusal(403, "AccessDenied")

    s3.refuses = refuse
    assert run(MODEL).exit_code == 1
    assert s3.uploads
    s3.refuses = lambda _: None
    assert run(MODEL).exit_code == 0
    assert not s3.uploads


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("COLDSTART_WEIGHTS_MIRROR", "s3://nothing", "has no such bucket"),
        ("COLDSTART_WEIGHTS_MIRROR_SECRET_KEY", "wrong", "refuses the secret key"),
    ],
)
def test_a_wrong_setting_is_said_before_anything_is_fetched(
    hub: TinyHub, monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)
    result = run(MODEL)
    assert result.exit_code == 1
    assert why in result.stderr
    assert set(hub.sent()) <= {"config.json"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["tiny/other"], "has no public model tiny/other"),
        ([MODEL, "--revision", "v2"], "tiny/model has no revision v2 on the hub."),
    ],
)
def test_what_the_hub_does_not_have_is_a_sentence(words: list[str], why: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert why in result.stderr


def test_a_hub_that_keeps_refusing_a_file_is_named(hub: TinyHub) -> None:
    hub.refuses = lambda path: 503 if path == "/cdn/model-1.safetensors" else None
    result = run(MODEL)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "The hub does not give model-1.safetensors: it answered 503."


def test_without_a_mirror_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "_ACCESS_KEY", "_SECRET_KEY"):
        monkeypatch.delenv(f"COLDSTART_WEIGHTS_MIRROR{name}")
    result = run(MODEL)
    assert (result.exit_code, result.stderr) == (
        1,
        "There is no mirror: set COLDSTART_WEIGHTS_MIRROR and its keys.\n",
    )
