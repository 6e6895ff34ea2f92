"""A disk without room for the image and the weights is noticed before either is downloaded, by the real functions."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.provisioner.install.test_data_disk import can_make_loop_devices

SCRIPT: Final = Path("services/provisioner/install/disk_space.sh").read_text()
GB: Final = 10**9
ASKED: Final = "asked the registry\n"

pytestmark = pytest.mark.real


def manifest(*sizes: int, architecture: str = "amd64") -> dict[str, object]:
    """As docker 20.10 and 28 print one of `docker manifest inspect --verbose`."""
    return {
        "Ref": f"docker.io/vllm/vllm-openai:v0.32.0@sha256:{architecture}",
        "Descriptor": {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "size": 900 * GB,
            "platform": {"architecture": architecture, "os": "linux"},
        },
        "SchemaV2Manifest": {
            "schemaVersion": 2,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 800 * GB},
            "layers": [{"mediaType": "application/vnd.docker.image", "size": size} for size in sizes],
        },
    }


BOTH: Final = [manifest(700 * GB, architecture="arm64"), manifest(6 * GB, 4 * GB), manifest(1, architecture="unknown")]


def checked(
    *,
    docker: tuple[str, int] | None = ("/dev/a", 100),
    models: tuple[str, int] = ("/dev/b", 100),
    image: object = BOTH,
    weights: float = 0,
    present: bool = False,
    kept: int | None = None,
    root: str = "",
    name: str = "vllm/vllm-openai:v0.32.0",
) -> str:
    """What is said of disks by name and free gigabytes, without Docker's of the real ones: nothing if there is room."""
    said = json.dumps(image, indent="\t") if image else ""
    df = ""
    if docker:
        answers = [f"echo {name} {free * GB}" for name, free in (models, docker)]
        df = f"df() {{ echo Filesystem Avail; [[ $* != *mnt/data ]] || {{ {answers[0]}; return; }}; {answers[1]}; }}"
    told = f"""set -euo pipefail; shopt -s inherit_errexit
    root={root} data={root}/mnt/data IMAGE={name} MODEL=some/model CACHE=shared
    WEIGHTS= WEIGHTS_BYTES={round(weights * GB)}
    {SCRIPT}
    fail() {{ echo "$*"; exit 1; }}
    {df}
    dpkg() {{ echo amd64; }}
    du() {{ echo "{kept} $*"; }}
    timeout() {{ shift 2; "$@"; }}
    docker() {{
      case $* in
        info*) echo /srv/docker ;;
        image*) {"true" if present else "false"} ;;
        manifest*)
          echo "{ASKED.strip()}" >&3
          [[ $IMAGE == @(127.*|localhost:*) ]] && wanted=--insecure || wanted=--verbose
          [[ "$*" == *" $wanted $IMAGE" ]] || return 1
          cat <<'END' && {"true" if image else "false"}
{said}
END
      esac
    }}
    exec 3>&1
    check_disk_space"""
    return subprocess.run(["bash", "-c", told], capture_output=True, text=True, check=False, timeout=60).stdout


def test_what_there_is_room_for_is_not_mentioned_and_with_plenty_of_room_the_registry_is_not_asked() -> None:
    assert checked(weights=99) == ""
    assert checked(docker=("/dev/a", 63)) == ASKED
    assert checked(docker=("/dev/a", 1), present=True) == ""


def test_a_disk_without_room_for_the_layers_of_this_machine_s_architecture_is_named() -> None:
    assert checked(docker=("/dev/a", 9)) == (
        f"{ASKED}The disk of /srv/docker has 9.0 GB free, and the image needs 10.0 GB or more: "
        "1.0 GB are missing. Free some space, or use a machine with a larger disk.\n"
    )
    assert "needs 10.0 GB" in checked(docker=("/dev/a", 9), image=manifest(6 * GB, 4 * GB))
    assert checked(docker=("/dev/a", 10)) == ASKED


@pytest.mark.skipif(not can_make_loop_devices(), reason="only root makes loop devices, where they are")
def test_the_disk_is_measured_where_docker_keeps_its_data(tmp_path: Path) -> None:
    """By the real df, on a file system of its own."""
    disk, docker = tmp_path / "disk", tmp_path / "srv/docker"
    for place in (docker, tmp_path / "mnt/data"):
        place.mkdir(parents=True)
    with disk.open("wb") as file:
        file.truncate(5 * GB)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
    subprocess.run(["mount", "-o", "loop", disk, docker], check=True)
    try:
        said = checked(docker=None, root=str(tmp_path))
    finally:
        subprocess.run(["umount", docker], check=True)
    assert re.search(
        r"The disk of /srv/docker has 4\.\d GB free, and the image needs 10\.0 GB or more: 5\.\d GB", said
    ), said


@pytest.mark.parametrize("name", ["127.0.0.1:5000/vllm:1", "localhost:5000/vllm:1", "mirror.test:5000/vllm:1"])
def test_a_registry_on_loopback_alone_is_asked_without_tls(name: str) -> None:
    assert "the image needs 10.0 GB" in checked(docker=("/dev/a", 9), name=name)


def test_a_disk_without_room_for_the_weights_is_named() -> None:
    said = checked(weights=140.54)
    assert said.startswith(
        "The disk of /mnt/data has 100.0 GB free, and the model's weights need 140.5 GB or more: 40.5 GB"
    )


def test_on_one_disk_both_must_fit() -> None:
    of = ("/dev/a", 100)
    assert "/srv/docker and /mnt/data has 100.0 GB free, and the image and the model's weights need 101.0 GB" in (
        checked(docker=of, models=of, weights=91)
    )
    assert checked(docker=of, models=of, weights=90) == ASKED
    assert "9.0 GB free, and the image needs 10.0 GB" in checked(docker=("/dev/a", 9), models=("/dev/a", 9))
    assert "and the model's weights need 101.0 GB" in checked(docker=of, models=of, weights=101, present=True)


def test_weights_that_an_earlier_worker_has_left_need_no_room(tmp_path: Path) -> None:
    (tmp_path / "mnt/data/huggingface/shared/hub/models--some--model").mkdir(parents=True)
    assert checked(weights=140, kept=50 * GB, root=str(tmp_path)) == ""
    assert "need 110.0 GB" in checked(weights=140, kept=30 * GB, root=str(tmp_path))
    assert checked(weights=140, kept=150 * GB, root=str(tmp_path)) == ""


@pytest.mark.parametrize("image", [None, "no manifest", {"layers": []}])
def test_what_cannot_be_found_out_ends_nothing(image: object) -> None:
    assert checked(docker=("/dev/a", 1), image=image) == ASKED
