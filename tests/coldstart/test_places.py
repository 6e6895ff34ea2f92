"""Where an installation's files are: what was named, then the project's own folder, then XDG's."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.places import apply_settings_file, data_dir, settings_file
from shared.variables import SettingsInvalid


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("COLDSTART_DATA_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def installed(tmp_path: Path) -> Path:
    """A folder of installed packages, which is no checkout."""
    return tmp_path / "site-packages"


def test_an_installed_program_keeps_its_data_where_xdg_says(tmp_path: Path) -> None:
    place = installed(tmp_path)
    assert data_dir({}, checkout=place) == tmp_path / "home/.local/share/coldstart"
    assert data_dir({"XDG_DATA_HOME": "/srv/data"}, checkout=place) == Path("/srv/data/coldstart")
    assert data_dir({"XDG_DATA_HOME": "data"}, checkout=place) == tmp_path / "home/.local/share/coldstart"


def test_a_checkout_keeps_its_data_in_itself_from_any_folder(tmp_path: Path) -> None:
    checkout = tmp_path / "coldstart"
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    assert data_dir({}, checkout=checkout) == checkout / ".coldstart"


def test_a_data_folder_in_this_folder_is_the_one_that_is_meant(tmp_path: Path) -> None:
    Path(".coldstart").mkdir()
    assert data_dir({}, checkout=installed(tmp_path)) == Path.cwd() / ".coldstart"


def test_a_named_folder_wins(tmp_path: Path) -> None:
    Path(".coldstart").mkdir()
    assert data_dir({"COLDSTART_DATA_DIR": "named"}, checkout=installed(tmp_path)) == Path("named")
    assert data_dir({"COLDSTART_DATA_DIR": ""}, checkout=installed(tmp_path)) == Path.cwd() / ".coldstart"


def a_settings_file(text: str | bytes) -> Path:
    file = settings_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_the_settings_file_is_where_xdg_says(tmp_path: Path) -> None:
    assert settings_file({}) == tmp_path / "home/.config/coldstart/settings.env"
    assert settings_file({"XDG_CONFIG_HOME": "/etc/mine"}) == Path("/etc/mine/coldstart/settings.env")


def test_a_variable_of_the_environment_wins_over_the_file() -> None:
    a_settings_file("# of mine\n\nexport SCW_DEFAULT_ZONE='fr-par-2'\nCOLDSTART_API_PORT = 9000\nHF_TOKEN=\"hf_x=\"\n")
    environment = {"COLDSTART_API_PORT": "8081"}
    apply_settings_file(environment)
    assert environment == {"COLDSTART_API_PORT": "8081", "SCW_DEFAULT_ZONE": "fr-par-2", "HF_TOKEN": "hf_x="}


def test_without_a_file_nothing_is_set() -> None:
    environment: dict[str, str] = {}
    apply_settings_file(environment)
    assert environment == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [("COLDSTART_API_PORT=1\nhunter2\n", ", line 2: write NAME=value."), (b"\xff", " cannot be read: it is no text.")],
)
def test_a_wrong_file_is_one_line_and_status_2_and_no_value_is_in_it(text: str | bytes, said: str) -> None:
    file = a_settings_file(text)
    with pytest.raises(SettingsInvalid):
        apply_settings_file({})
    result = CliRunner().invoke(app, ["env"])
    assert (result.exit_code, result.stderr) == (2, f"{file}{said}\n")


def test_the_folder_of_an_option_is_the_one_that_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDSTART_DATA_DIR", "another")
    result: Any = CliRunner().invoke(app, ["--data-dir", "mine", "env"])
    assert result.exit_code == 1
    assert f"no stack runs in {tmp_path / 'folder/mine'}" in result.stderr
