"""A command loads what it needs, and no other command does; lists of commands are made from the table."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands.table import COMMANDS, Entry, loaded
from tests.coldstart.fake_api import FakeApi, page, values
from tests.coldstart.told import an_instance

LISTING = """
import json, sys
from coldstart.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    print(json.dumps([ended.code, sorted(sys.modules)]), file=sys.stderr)
"""
OF_THE_STACK = {
    *("litestar", "asyncpg", "scaleway", "scaleway_core", "huggingface_hub", "faststream", "aiohttp", "nats"),
    *("asyncssh", "botocore", "uvicorn", "cryptography", "structlog", "prometheus_client", "yaml"),
}
OF_SETTINGS = {"pydantic_settings", "asyncio"}
OF_CALLS = {"pydantic", "httpx", "psutil", "importlib.metadata"}


@pytest.mark.parametrize(("name", "entry"), COMMANDS.items(), ids=COMMANDS)
def test_the_table_says_what_the_command_itself_says(name: str, entry: Entry) -> None:
    command = loaded(name)
    assert command.name == name
    assert (command.help or "").splitlines()[0] == entry.help


def test_nothing_that_can_be_called_is_listed_twice() -> None:
    assert len({(entry.module, entry.attribute) for entry in COMMANDS.values()}) == len(COMMANDS)
    assert all(isinstance(entry.load(), typer.Typer) for entry in COMMANDS.values() if entry.attribute == "app")


def test_a_misspelled_command_is_told_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["instnces"])
    assert result.exit_code == 2
    assert "Did you mean 'instances'" in result.stderr


@pytest.mark.real
@pytest.mark.parametrize(
    ("command", "unneeded", "most"),
    [
        ("--version", OF_THE_STACK | OF_SETTINGS | OF_CALLS - {"importlib.metadata"}, 420),
        ("--help", OF_THE_STACK | OF_SETTINGS | OF_CALLS, 360),
        ("instances --help", OF_THE_STACK | OF_SETTINGS, 620),
        ("instances list", OF_THE_STACK | OF_SETTINGS, 560),
        ("instances show qwen", OF_THE_STACK | OF_SETTINGS, 560),
        ("keys list", OF_THE_STACK | OF_SETTINGS, 560),
        ("env --help", OF_THE_STACK | OF_SETTINGS, 580),
        ("instance-types", OF_THE_STACK | OF_SETTINGS, 560),
    ],
)
def test_a_command_loads_nothing_that_it_does_not_need(
    command: str, unneeded: set[str], most: int, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/instances", "/api-keys", "/instance-types"):
        api.says("GET", path, page())
    if "show" in command:
        found = an_instance("provisioning")
        api.says("GET", "/instances", page(found))
        api.says("GET", f"/instances/{found['id']}", values(found))
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    done = subprocess.run([sys.executable, "-c", LISTING, *command.split()], capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    assert not unneeded & set(modules)
    assert len(modules) <= most
