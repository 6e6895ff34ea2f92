"""The mirror's name and the login, by the real functions and a docker that tells what it was asked."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from services.provisioner.install.registry import Registry

SCRIPT: Final = Path("services/provisioner/install/registry.sh").read_text()
MIRROR: Final = Registry("mirror.test:5000/hub", "us", "a-password")

pytestmark = pytest.mark.real


def run(folder: Path, commands: str, registry: Registry, *, login: int = 0) -> str:
    job = "".join(f"{name}='{value}'\n" for name, value in registry.variables().items())
    told = f"""set -euo pipefail; root={folder}
    {job}{SCRIPT}
    fail() {{ echo "$*"; exit 1; }}
    docker() {{ read -r password; echo "$* $password" >&2; return {login}; }}
    {commands}"""
    ran = subprocess.run(["bash", "-c", told], capture_output=True, text=True, check=False, timeout=60)
    return ran.stderr + ran.stdout


@pytest.mark.parametrize(
    ("image", "from_mirror"),
    [
        ("vllm/vllm-openai:v0.32.0", True),
        ("acme/vllm@sha256:0123", True),
        ("registry.example.com/vllm/vllm-openai:v0.32.0", False),
        ("registry:5000/vllm", False),
        ("localhost/vllm", False),
    ],
)
def test_docker_hubs_images_have_the_mirrors_name(tmp_path: Path, image: str, from_mirror: bool) -> None:
    commands = f"IMAGE={image}; use_mirror; echo $IMAGE"
    assert run(tmp_path, commands, MIRROR) == (f"mirror.test:5000/hub/{image}\n" if from_mirror else f"{image}\n")
    assert run(tmp_path, commands, Registry()) == f"{image}\n"


@pytest.mark.parametrize(
    ("registry", "where"), [(MIRROR, " mirror.test:5000"), (Registry(user="us", password="a-password"), "")]
)
def test_a_login_lasts_until_the_image_is_there(tmp_path: Path, registry: Registry, where: str) -> None:
    said = run(tmp_path, "sign_in; ls -d $DOCKER_CONFIG; sign_out; echo ${DOCKER_CONFIG:-none}", registry)
    folder = tmp_path / "var/lib/coldstart/docker"
    assert said == f"login --username us --password-stdin{where} a-password\n{folder}\nnone\n"
    assert not folder.exists()


def test_a_login_that_is_refused_is_told_and_nothing_of_it_stays(tmp_path: Path) -> None:
    assert run(tmp_path, "sign_in", MIRROR, login=1).endswith("\nmirror.test:5000/hub does not accept the login.\n")
    assert not (tmp_path / "var/lib/coldstart/docker").exists()


def test_without_a_login_docker_keeps_its_own(tmp_path: Path) -> None:
    assert (
        run(tmp_path, "DOCKER_CONFIG=/own; sign_in; echo $DOCKER_CONFIG; sign_out", Registry("mirror.test")) == "/own\n"
    )
