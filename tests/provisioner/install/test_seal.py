"""Nothing of a machine is in any byte of its sealed disk: the real seal.sh, on a real ext4 with its free blocks."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest

from services.provisioner.cloud_init import cloud_init
from shared.secrets import Secrets

SCRIPT: Final = Path("services/provisioner/install/seal.sh").read_text()
BUILDER: Final = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
SECRETS: Final = Secrets("0123456789abcdef" * 4)
TOKENS: Final = ("hf_a_token_of_the_hub", "a-password-of-the-registry", "a-password-of-the-proxy")
MACHINE_ID: Final = "5f2c8e7d90ab4c1d8e3f6a7b9c0d1e2f"
SAID: Final = "a line of the machine's own log"
KEPT: Final = "the weights of a model"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk"),
]


def lines_of(text: str) -> Iterator[bytes]:
    """Those that are long enough to be a secret; of a key in PEM, each line of its body."""
    return (line.strip().encode() for line in text.splitlines() if len(line.strip()) >= 16 and "-----" not in line)


@cache
def secrets_of_the_machine() -> list[bytes]:
    """Everything that is derived for it, whether the install gives it to the machine or not.

    Once: a private key of SSH has a random number in its text.
    """
    client, certificates = SECRETS.ssh_client_key(), SECRETS.worker_certificates(BUILDER, 1)
    host_keys = [SECRETS.host_key(BUILDER, number) for number in (0, 1)]
    texts = [
        client.private, client.public, SECRETS.worker_api_key(BUILDER, 1), certificates.worker.private_key,
        certificates.worker.certificate, certificates.client.private_key, certificates.client.certificate,
        *(text for key in host_keys for text in (key.private, key.public)),
        *TOKENS, MACHINE_ID, SAID,
    ]  # fmt: skip
    return [line for text in texts for line in lines_of(text)]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def a_used_machine(root: Path) -> None:
    """What cloud-init, sshd, Docker and an install leave, and more: everything that they might."""
    user_data = cloud_init(SECRETS.host_key(BUILDER, 0), SECRETS.ssh_client_key().public).decode()
    host_key, certificates = SECRETS.host_key(BUILDER, 1), SECRETS.worker_certificates(BUILDER, 1)
    files = {
        "etc/ssh/sshd_config": "PermitRootLogin prohibit-password\n",
        "etc/ssh/ssh_host_ed25519_key": SECRETS.host_key(BUILDER, 0).private,
        "etc/ssh/ssh_host_ed25519_key.pub": SECRETS.host_key(BUILDER, 0).public,
        "etc/ssh/ssh_host_rsa_key": host_key.private,
        "root/.ssh/authorized_keys": SECRETS.ssh_client_key().public,
        "root/.ssh/instance_keys": SECRETS.ssh_client_key().public,
        "root/.bash_history": f"export HF_TOKEN={TOKENS[0]}\n",
        "root/.docker/config.json": TOKENS[1],
        "root/.cache/huggingface/token": TOKENS[0],
        "home/ubuntu/.ssh/authorized_keys": SECRETS.ssh_client_key().public,
        "home/ubuntu/.bash_history": TOKENS[2],
        "etc/machine-id": MACHINE_ID,
        "var/lib/dbus/machine-id": MACHINE_ID,
        "var/lib/cloud/instances/i-1/user-data.txt": user_data,
        "var/lib/cloud/instance/user-data.txt.i": user_data,
        "var/lib/coldstart/tls/key.pem": certificates.worker.private_key,
        "var/lib/coldstart/tls/certificate.pem": certificates.worker.certificate,
        "var/lib/coldstart/tls/clients.pem": certificates.client.certificate,
        "var/lib/coldstart/docker/config.json": TOKENS[1],
        "var/lib/docker/engine-id": MACHINE_ID,
        "etc/docker/key.json": host_key.private,
        "var/lib/systemd/random-seed": MACHINE_ID,
        "var/lib/systemd/credential.secret": MACHINE_ID,
        "etc/systemd/system/docker.service.d/coldstart-site.conf": f'Environment="HTTP_PROXY=http://u:{TOKENS[2]}@p"',
        "etc/systemd/system/docker.service.d/coldstart-site.applied": TOKENS[2],
        "var/log/auth.log": SAID * 100,
        "var/log/journal/1/system.journal": SAID,
        "var/log/cloud-init-output.log": SECRETS.worker_api_key(BUILDER, 1),
        "var/lib/apt/lists/archive_Packages": SAID,
        "var/cache/apt/archives/docker.deb": SAID,
        "tmp/job": "".join(TOKENS),
        "var/tmp/job": certificates.client.private_key,
        "mnt/data/huggingface/shared/hub/models--a--b/blobs/1": KEPT * 100,
    }
    for name, text in files.items():
        write(root / name, text)


def leave_in_free_blocks(root: Path) -> None:
    """Files of all secrets that were written to the disk and are deleted before anybody seals it."""
    for number, secret in enumerate(secrets_of_the_machine()):
        write(root / f"deleted/{number}", (secret.decode() + "\n") * 200)
    os.sync()
    for number, _ in enumerate(secrets_of_the_machine()):
        (root / f"deleted/{number}").unlink()
    os.sync()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A used machine's boot disk, mounted at `root` beside the file. /run is in memory there."""
    image, root = tmp_path / "disk.img", tmp_path / "root"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(96 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(root)], check=True)
    try:
        a_used_machine(root)
        leave_in_free_blocks(root)
        yield image
    finally:
        subprocess.run(["umount", "--recursive", str(root)], check=False)


def seal(disk: Path, before: str = "", after: str = "") -> subprocess.CompletedProcess[str]:
    """With a systemd that does nothing, in a mount namespace of its own: it ends with the power of the machine."""
    root = disk.with_name("root")
    told = f"""set -euo pipefail; COLDSTART_ROOT={root}; root={root}; data={root}/mnt/data
    mkdir -p {root}/run; mount -t tmpfs tmpfs {root}/run
    {SCRIPT}
    fail() {{ echo "$*"; exit 1; }}
    MODEL="" WEIGHTS=""
    systemctl() {{ :; }}
    when_unlocked() {{ echo "$*" >>{root}/run/waited; }}
    {before}
    seal
    {after}"""
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", told]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    subprocess.run(["umount", str(root)], check=ran.returncode == 0)
    return ran


def found_in(disk: Path, wanted: list[bytes]) -> list[bytes]:
    content = disk.read_bytes()
    return [each for each in wanted if each in content]


def test_nothing_of_the_machine_is_in_any_byte_of_its_sealed_disk(disk: Path) -> None:
    everything = secrets_of_the_machine()
    os.sync()
    assert found_in(disk, everything) == everything  # or the test would find nothing in any case
    ran = seal(disk)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert found_in(disk, everything) == []
    assert found_in(disk, [KEPT.encode()]) == [KEPT.encode()]


def test_the_machine_still_lets_us_in_while_its_disk_is_sealed(disk: Path) -> None:
    ran = seal(disk, after='cat "$root/root/.ssh/authorized_keys"; ls "$root/etc/ssh"')
    assert ran.stdout.startswith(SECRETS.ssh_client_key().public)
    assert "ssh_host_ed25519_key" in ran.stdout
    assert found_in(disk, secrets_of_the_machine()) == []


def test_no_upgrade_of_packages_runs_while_the_disk_is_full(disk: Path) -> None:
    ran = seal(disk, before='dd() { cat "$root/run/waited"; exit 3; }')
    assert (ran.returncode, ran.stdout) == (1, "The free space of the disk was not erased: dpkg --configure -a\n")


def test_what_is_logged_after_the_seal_is_not_on_the_disk(disk: Path) -> None:
    seal(disk, after='echo "somebody signed in since then" >>"$root/var/log/auth.log"; sync')
    assert found_in(disk, [b"somebody signed in since then"]) == []


def test_a_seal_that_was_interrupted_is_done_again(disk: Path) -> None:
    ran = seal(disk, before='(remove_traces() { exit 7; }; seal) || echo "interrupted: $?"')
    assert (ran.returncode, ran.stdout) == (0, "interrupted: 7\n"), ran.stderr
    assert found_in(disk, secrets_of_the_machine()) == []


def test_a_machine_without_memory_for_it_is_not_sealed(disk: Path) -> None:
    ran = seal(disk, before='umount "$root/run"')
    assert (ran.returncode, ran.stdout[:21]) == (1, "/run is not in memory")


def test_free_space_that_could_not_be_erased_ends_the_seal(disk: Path) -> None:
    ran = seal(disk, before='dd() { echo "dd: error writing: Input/output error" >&2; return 1; }')
    assert (ran.returncode, ran.stdout[:43]) == (1, "The free space of the disk was not erased: "[:43])


def test_a_machine_without_the_weights_that_are_wanted_is_not_sealed(disk: Path) -> None:
    ran = seal(disk, before="MODEL=a/b")
    assert (ran.returncode, ran.stdout[:23]) == (1, "The model's weights are")
    assert found_in(disk, [MACHINE_ID.encode()])
