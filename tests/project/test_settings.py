"""Wrong settings are one sentence each, in a service and on the command line, and no secret is in it."""

import asyncio
import os
import subprocess
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.settings import StackSettings
from coldstart.variables import every
from services.api.settings import ApiSettings
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.settings import ProvisionerSettings
from shared.environment import from_environment
from shared.postgres.connection import connect_pool
from shared.running import StartRefused
from shared.settings import ServiceSettings
from shared.variables import SettingsInvalid, unknown
from tests.embedded.owners import PROJECT

SECRET = "hunter2"
RIGHT = {"COLDSTART_DATABASE_URL": "postgresql:///x", "COLDSTART_MASTER_SECRET": "m" * 32}


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("COLDSTART_", "SCW_", "HF_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("kind", "variable", "value", "sentence"),
    [
        (ApiSettings, "COLDSTART_API_PORT", "abc", "takes a whole number from 0 to 65535, not 'abc'."),
        (StackSettings, "COLDSTART_API_PORT", "70000", "takes a whole number from 0 to 65535, not '70000'."),
        (ApiSettings, "COLDSTART_HUB_TIMEOUT_SECONDS", "soon", "takes a number above 0, not 'soon'."),
        (ApiSettings, "COLDSTART_LOG_LEVEL", "loud", "takes one of debug, info, warning, error, not 'loud'."),
        (ApiSettings, "COLDSTART_STREAM_REPLICAS", "two", "takes one of 1, 3, not 'two'."),
        (ApiSettings, "COLDSTART_INSTALLATION", "mine", "takes a UUID, not 'mine'."),
        (ApiSettings, "HF_ENDPOINT", "hub", "takes a URL such as http://127.0.0.1:8080, not 'hub'."),
        (
            StackSettings, "COLDSTART_NATS_URL", f"nats://x:{SECRET}@h:port",
            "takes a URL such as nats://user:password@127.0.0.1:4222, or several with commas.",
        ),
        (
            ApiSettings, "COLDSTART_DATABASE_URL", f"mysql://x:{SECRET}@h/d",
            "takes a URL such as postgresql://user:password@127.0.0.1/name.",
        ),
        (ApiSettings, "COLDSTART_MASTER_SECRET", SECRET, "takes at least 32 characters."),
        (ProvisionerSettings, "COLDSTART_SOURCE_RANGES", "10.0.0.0", 'takes JSON, such as ["a", "b"] or {"a": "b"}.'),
        (ProvisionerSettings, "COLDSTART_VLLM_IMAGE", ":x", "takes an image such as vllm/vllm-openai:v0.32.0, not ':x'."),  # noqa: E501
    ],
)  # fmt: skip
def test_it_names_the_variable_and_what_is_right(
    kind: type[BaseSettings], variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, right in {**RIGHT, variable: value}.items():
        monkeypatch.setenv(name, right)
    with pytest.raises(SettingsInvalid) as refused:
        from_environment(kind)
    assert str(refused.value) == f"{variable} {sentence}"


def test_settings_that_do_not_fit_together_are_named_as_one_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**RIGHT, "COLDSTART_CALL_TIMEOUT_SECONDS": "20"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        from_environment(ProvisionerSettings)
    assert str(refused.value) == "COLDSTART_CALL_TIMEOUT_SECONDS must be under a third of COLDSTART_LEASE_SECONDS."


def test_a_key_in_the_wrong_variable_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCW_ACCESS_KEY", SECRET)
    with pytest.raises(SettingsInvalid) as refused:
        from_environment(ScalewaySettings)
    said = str(refused.value)
    assert SECRET not in said
    assert [line.split()[0] for line in said.splitlines()] == [
        "SCW_ACCESS_KEY", "SCW_SECRET_KEY", "SCW_DEFAULT_PROJECT_ID",
    ]  # fmt: skip


def test_a_misspelled_variable_is_told_with_the_nearest_one() -> None:
    assert list(unknown({"COLDSTART_API_PROT": "1", "COLDSTART_API_PORT": "1", "COLDSTART_QQQQ": "", "HOME": "/"})) == [
        "COLDSTART_API_PROT is no setting of Coldstart; did you mean COLDSTART_API_PORT?",
        "COLDSTART_QQQQ is no setting of Coldstart.",
    ]


def test_every_setting_is_known_by_name() -> None:
    """Else a new one is taken for a misspelled one: `make docs` writes the list again."""
    assert (PROJECT / "shared/variables.txt").read_text().split() == list(every())


@pytest.mark.real  # asyncssh asks ldconfig when it is first imported
@pytest.mark.parametrize("service", ["api", "health", "progress", "provisioner", "scaler", "webhooks"])
def test_a_service_that_cannot_use_its_settings_says_so_and_ends_with_2(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**RIGHT, "COLDSTART_NATS_URL": f"http://x:{SECRET}@h"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", [f"services.{service}"])
    with pytest.raises(SystemExit) as ended:
        import_module(f"services.{service}.__main__").main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "COLDSTART_NATS_URL takes a URL such as nats://user:password@127.0.0.1:4222, or several with commas.\n"
    )


@pytest.mark.parametrize(
    ("urls", "valid"),
    [
        ("nats://u:p@a:4222,nats://u:p@b:4222", True),
        ("a, b", True),
        ("nats://u:p@a,nats://v:p@b", False),
        ("nats://a,", False),
        ("nats://a,http://b", False),
    ],
)
def test_several_nats_servers_have_one_user_and_each_is_a_url(urls: str, *, valid: bool) -> None:
    with nullcontext() if valid else pytest.raises(ValidationError):
        ServiceSettings(nats_url=SecretStr(urls))


@pytest.mark.real
def test_up_says_what_a_service_refuses_and_ends_with_2(tmp_path: Path) -> None:
    wrong = {"COLDSTART_DATA_DIR": str(tmp_path), "COLDSTART_API_PORT": "0", "COLDSTART_LEASE_SECONDS": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "coldstart", "up"], env={**os.environ, **wrong}, capture_output=True, text=True,
        timeout=90, check=False, cwd=PROJECT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "COLDSTART_LEASE_SECONDS takes a number above 0, not 'x'.\n")


def test_a_command_with_a_wrong_setting_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_API_PORT", "abc")
    monkeypatch.setenv("COLDSTART_API_PROT", "1")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "warning: COLDSTART_API_PROT is no setting of Coldstart; did you mean COLDSTART_API_PORT?",
        "COLDSTART_API_PORT takes a whole number from 0 to 65535, not 'abc'.",
    ]


async def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    with pytest.raises(StartRefused, match=r"\APostgreSQL cannot be used: .+\. Look at COLDSTART_DATABASE_URL\.\Z"):
        async with connect_pool("postgresql://127.0.0.1:9/x", name="test"):
            pass


async def test_a_service_that_waits_for_nats_ends_on_a_signal() -> None:
    """Nobody listens there, and its client tries for ever."""
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _WAITING), stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    assert service.stdout is not None
    async with asyncio.timeout(120):
        assert await service.stdout.readline() == b"entering\n"
        service.terminate()
        assert await service.wait() == 0


_WAITING = """
import asyncio
from contextlib import asynccontextmanager
from shared.running import run

@asynccontextmanager
async def running():
    print("entering", flush=True)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()  # as a client library that swallows it
    yield

run(running)
"""
