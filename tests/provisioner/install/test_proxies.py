"""The proxies of a site reach what the install starts, Docker and the worker, by the real functions."""

import shlex
import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install.proxies import Proxies

SCRIPT: Final = Path("services/provisioner/install/proxies.sh").read_text()
SITE: Final = Proxies("http://us:p%40ss@plain:3128", "http://secure:3128", ("hub.example.com",))
LOOPBACK: Final = "localhost,127.0.0.1,::1"
RESTARTED: Final = "systemctl daemon-reload\nsystemctl restart docker\n"

pytestmark = pytest.mark.real


def run(folder: Path, commands: str, proxies: Proxies = SITE, *, ours: bool = True, containers: str = "") -> str:
    """What is printed, in a machine's folder, with the proxies of the job."""
    job = "".join(f"SITE_{name}={shlex.quote(value)}\n" for name, value in proxies.variables().items())
    told = f"""set -euo pipefail; shopt -s inherit_errexit; umask 077
    export COLDSTART_ROOT={folder} HTTP_PROXY=http://of.the.machine HTTPS_PROXY=
    {job}OURS={"yes" if ours else ""}
    {SCRIPT}
    systemctl() {{ echo "systemctl $*"; }}
    docker() {{ [[ -z "{containers}" ]] || printf '%s\\n' {containers}; }}
    use_proxies
    {commands}"""
    return subprocess.run(["bash", "-c", told], capture_output=True, text=True, check=True, timeout=60).stdout


def settings_in(folder: Path) -> Path:
    return folder / "etc/systemd/system/docker.service.d/coldstart-proxies.conf"


def test_whatever_the_install_starts_has_them_under_both_names_and_the_worker_by_name(tmp_path: Path) -> None:
    said = run(tmp_path, 'env | grep -i _proxy= | sort; echo "${worker_proxies[*]}"').splitlines()
    by_name = SITE.variables()
    assert sorted(said[:-1]) == sorted(
        f"{spelt}={value}" for name, value in by_name.items() for spelt in (name, name.lower())
    )
    assert said[-1] == "--env HTTP_PROXY --env HTTPS_PROXY --env NO_PROXY"


def test_without_any_the_machine_keeps_its_own_and_the_worker_gets_none(tmp_path: Path) -> None:
    said = run(tmp_path, 'echo "$HTTP_PROXY ${#worker_proxies[@]}"; set_docker_proxies', Proxies())
    assert said == "http://of.the.machine 0\n"
    assert not settings_in(tmp_path).exists()


def test_docker_is_told_them_and_restarted_once(tmp_path: Path) -> None:
    assert run(tmp_path, "set_docker_proxies") == RESTARTED
    assert settings_in(tmp_path).read_text().splitlines() == [
        "[Service]",
        'Environment="HTTP_PROXY=http://us:p%%40ss@plain:3128"',
        'Environment="HTTPS_PROXY=http://secure:3128"',
        f'Environment="NO_PROXY={LOOPBACK},hub.example.com"',
    ]
    assert settings_in(tmp_path).stat().st_mode & 0o077 == 0
    assert run(tmp_path, "set_docker_proxies") == ""


def test_docker_is_told_when_there_are_none_any_more(tmp_path: Path) -> None:
    run(tmp_path, "set_docker_proxies")
    assert run(tmp_path, "set_docker_proxies", Proxies()) == RESTARTED
    assert not settings_in(tmp_path).exists()


def test_where_somebody_s_containers_run_docker_keeps_its_own_proxies(tmp_path: Path) -> None:
    said = run(tmp_path, "set_docker_proxies", ours=False, containers="grafana db")
    assert said == "Docker keeps its own proxies: a restart would end the containers that run here (grafana, db).\n"
    assert not settings_in(tmp_path).exists()
    assert run(tmp_path, "set_docker_proxies", ours=True, containers="grafana db") == RESTARTED
    assert run(tmp_path, "set_docker_proxies", ours=False, containers="grafana db") == ""


def test_a_release_removes_them_without_a_restart(tmp_path: Path) -> None:
    run(tmp_path, "set_docker_proxies")
    assert run(tmp_path, "remove_docker_proxies", ours=False) == "systemctl daemon-reload\n"
    assert not settings_in(tmp_path).exists()
    assert run(tmp_path, "remove_docker_proxies", ours=False) == ""
