"""Where the client finds its api: as given, from the environment, the settings file, or a stack that runs here."""

import json
import os
from pathlib import Path

import psutil
import pytest

from coldstart.stack.files import Reach, write_reach
from coldstart_client import Client, ConfigurationError
from coldstart_client.settings import Address

URL = "http://127.0.0.1:8080"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(home / "config"), "COLDSTART_DATA_DIR": str(home / "data"), **more}


def settings_file(home: Path, text: str) -> None:
    (home / "config/coldstart").mkdir(parents=True)
    (home / "config/coldstart/settings.env").write_text(text)


def a_stack(home: Path, pid: int) -> None:
    (home / "data").mkdir()
    write_reach(home / "data", Reach(URL, "the-admin-key", "nats://x", "postgresql://x", None, pid))


def no_process() -> int:
    return max(psutil.pids()) + 1_000_000


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(home: Path) -> None:
    settings_file(home, f"COLDSTART_API_URL={URL}\nexport COLDSTART_API_KEY='of the file'\n")
    assert Address.found(environment=environment(home)) == Address(URL, "of the file")
    named = environment(home, COLDSTART_API_KEY="of the environment")
    assert Address.found(environment=named) == Address(URL, "of the environment")
    assert Address.found("https://x", "given", environment=named) == Address("https://x", "given")


def test_without_an_address_it_is_the_stack_that_runs_here(home: Path) -> None:
    a_stack(home, os.getpid())
    assert Address.found(environment=environment(home)) == Address(URL, "the-admin-key")
    assert Address.found(key="mine", environment=environment(home)) == Address(URL, "mine")
    assert Address.found(URL + "/", environment=environment(home)) == Address(URL + "/", "the-admin-key")


def test_the_key_of_the_stack_goes_to_no_other_api(home: Path) -> None:
    a_stack(home, os.getpid())
    with pytest.raises(ConfigurationError, match=r"no key for https://elsewhere\.example"):
        Address.found("https://elsewhere.example", environment=environment(home))


def test_a_stack_that_was_killed_is_none(home: Path) -> None:
    a_stack(home, no_process())
    with pytest.raises(ConfigurationError, match="no stack runs in"):
        Address.found(environment=environment(home))


@pytest.mark.parametrize("written", ["", "[]", json.dumps({"api_url": URL})])
def test_a_file_that_is_no_stack_s_is_said(home: Path, written: str) -> None:
    (home / "data").mkdir()
    (home / "data/stack.json").write_text(written)
    with pytest.raises(ConfigurationError, match=r"stack\.json cannot be read"):
        Address.found(environment=environment(home))


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://x:abc", "http://", "http://x:0"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of an api"):
        Client(url, "a-key")


@pytest.mark.parametrize("key", ["kéy", "two\nlines"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigurationError, match="COLDSTART_API_KEY"):
        Client(URL, key)


def test_a_wrong_line_of_the_settings_file_is_named_without_its_value(home: Path) -> None:
    settings_file(home, "COLDSTART_API_KEY the-secret\n")
    with pytest.raises(ConfigurationError, match="line 1: write NAME=value") as refused:
        Address.found(environment=environment(home))
    assert "the-secret" not in str(refused.value)


def test_no_key_is_shown_where_an_address_is() -> None:
    assert "secret" not in repr(Address(URL, "the-secret"))
