"""The proxies and authorities of a site reach what the install starts, Docker and the worker, by the real functions."""

import shlex
import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install.causes import cause_of
from services.provisioner.install.proxies import Proxies
from tests.refusing_proxy import refusing_proxy

SCRIPT: Final = Path("services/provisioner/install/site.sh").read_text()
SITE: Final = Proxies("http://us:p%40ss@plain:3128", "http://secure:3128", ("hub.example.com",))
LOOPBACK: Final = "localhost,127.0.0.1,::1"
RESTARTED: Final = "systemctl daemon-reload\nsystemctl restart docker\n"

pytestmark = pytest.mark.real


def run(
    folder: Path,
    commands: str,
    proxies: Proxies = SITE,
    *,
    authorities: str = "",
    ours: bool = True,
    containers: str = "",
) -> str:
    """What is printed, in a machine's folder, with the proxies and authorities of the job."""
    job = "".join(f"SITE_{name}={shlex.quote(value)}\n" for name, value in proxies.variables().items())
    told = f"""set -euo pipefail; shopt -s inherit_errexit; umask 077
    export COLDSTART_ROOT={folder} HTTP_PROXY=http://of.the.machine HTTPS_PROXY=
    {job}SITE_AUTHORITIES={shlex.quote(authorities)}
    OURS={"yes" if ours else ""}
    {SCRIPT}
    systemctl() {{ echo "systemctl $*"; }}
    docker() {{ [[ -z "{containers}" ]] || printf '%s\\n' {containers}; }}
    use_proxies
    use_authorities
    {commands}"""
    return subprocess.run(["bash", "-c", told], capture_output=True, text=True, check=True, timeout=60).stdout


def settings_in(folder: Path) -> Path:
    return folder / "etc/systemd/system/docker.service.d/coldstart-site.conf"


def test_whatever_the_install_starts_has_them_under_both_names_and_the_worker_by_name(tmp_path: Path) -> None:
    said = run(tmp_path, 'env | grep -i _proxy= | sort; echo "${site_options[*]}"').splitlines()
    by_name = SITE.variables()
    assert sorted(said[:-1]) == sorted(
        f"{spelt}={value}" for name, value in by_name.items() for spelt in (name, name.lower())
    )
    assert said[-1] == "--env HTTP_PROXY --env HTTPS_PROXY --env NO_PROXY"


def test_without_any_the_machine_keeps_its_own_and_the_worker_gets_none(tmp_path: Path) -> None:
    said = run(tmp_path, 'echo "$HTTP_PROXY ${#site_options[@]}"; tell_docker', Proxies())
    assert said == "http://of.the.machine 0\n"
    assert not settings_in(tmp_path).exists()


def test_docker_is_told_them_and_restarted_once(tmp_path: Path) -> None:
    assert run(tmp_path, "tell_docker") == RESTARTED
    assert settings_in(tmp_path).read_text().splitlines() == [
        "[Service]",
        'Environment="HTTP_PROXY=http://us:p%%40ss@plain:3128"',
        'Environment="HTTPS_PROXY=http://secure:3128"',
        f'Environment="NO_PROXY={LOOPBACK},hub.example.com"',
    ]
    assert settings_in(tmp_path).stat().st_mode & 0o077 == 0
    assert run(tmp_path, "tell_docker") == ""


def test_docker_is_told_when_there_are_none_any_more(tmp_path: Path) -> None:
    run(tmp_path, "tell_docker")
    assert run(tmp_path, "tell_docker", Proxies()) == RESTARTED
    assert settings_in(tmp_path).read_text() == "\n"
    assert run(tmp_path, "tell_docker", Proxies()) == ""


def test_an_install_that_ended_before_the_restart_is_made_good(tmp_path: Path) -> None:
    run(tmp_path, "systemctl() { exit; }; tell_docker")
    assert settings_in(tmp_path).exists()
    assert run(tmp_path, "tell_docker") == RESTARTED


def test_where_somebody_s_containers_run_docker_keeps_its_own_proxies(tmp_path: Path) -> None:
    said = run(tmp_path, "tell_docker", ours=False, containers="grafana db")
    assert said == "Docker keeps its own settings: a restart would end the containers that run here (grafana, db).\n"
    assert not settings_in(tmp_path).exists()
    assert run(tmp_path, "tell_docker", ours=True, containers="grafana db") == RESTARTED
    assert run(tmp_path, "tell_docker", ours=False, containers="grafana db") == ""


def test_a_release_removes_them_without_a_restart(tmp_path: Path) -> None:
    run(tmp_path, "tell_docker")
    assert run(tmp_path, "remove_site", ours=False) == "systemctl daemon-reload\n"
    assert not list(settings_in(tmp_path).parent.iterdir())
    assert run(tmp_path, "remove_site", ours=False) == ""


def test_the_site_s_authorities_are_trusted_besides_the_machine_s(tmp_path: Path) -> None:
    known = tmp_path / "etc/ssl/certs/ca-certificates.crt"
    known.parent.mkdir(parents=True)
    known.write_text("of the machine\n")
    authorities = tmp_path / "usr/local/share/coldstart/authorities.pem"
    shown = 'echo "$SSL_CERT_FILE $CURL_CA_BUNDLE"; echo "${site_options[*]}"; tell_docker'
    said = run(tmp_path, shown, Proxies(), authorities="of the\nsite").splitlines(keepends=True)
    inside = "/etc/coldstart/authorities.pem"
    assert said[0] == f"{authorities} {authorities}\n"
    assert (
        said[1]
        == f"--volume {authorities}:{inside}:ro --env SSL_CERT_FILE={inside} --env REQUESTS_CA_BUNDLE={inside}\n"
    )
    assert "".join(said[2:]) == RESTARTED
    assert settings_in(tmp_path).read_text() == f'[Service]\nEnvironment="SSL_CERT_FILE={authorities}"\n'
    assert authorities.read_text() == "of the machine\nof the\nsite\n"
    assert (authorities.stat().st_mode & 0o777, authorities.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    run(tmp_path, "remove_site", Proxies())
    assert not authorities.parent.exists()
    known.unlink()
    run(tmp_path, ":", Proxies(), authorities="of the\nsite")
    assert authorities.read_text() == "of the\nsite\n"


def test_a_download_that_the_proxy_refuses_names_the_proxy(tmp_path: Path) -> None:
    with refusing_proxy() as proxy:
        said = run(
            tmp_path,
            f'fail() {{ echo "$*"; exit; }}; fetch https://nvidia.example.com/gpgkey {tmp_path}/key 2>&1',
            Proxies(https=proxy),
        ).splitlines()
    assert said[-1] == "The proxy answered 403 when it was asked for https://nvidia.example.com/gpgkey."
    shown = cause_of(said, Proxies())
    assert shown is not None
    assert shown.cause.code == "proxy_refused"
