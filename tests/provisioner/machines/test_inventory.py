"""An error in the file of machines names the machine and the field. A correct file is read completely."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.provisioner.providers.machines.inventory import InventoryInvalid, inventory_at
from tests.provisioner.machines.conftest import CLIENT_KEY
from tests.provisioner.stage import MASTER

KEY = CLIENT_KEY.public
RIGHT = f"""
[[machine]]
name = "desk"
address = "192.0.2.7"
host_key = "{KEY} root@desk"
gpu = "RTX 4090"
gpu_memory_gb = 24

[[machine]]
name = "shelf"
address = "2001:db8::7"
host_key = "{KEY}"
instance_type = "big"
zone = "cellar"
gpus = 2
hourly_price = 0.4
currency = "EUR"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "machines.toml"
    path.write_text(text)
    return path


def test_what_is_left_out_has_a_label_of_its_own(tmp_path: Path) -> None:
    inventory = inventory_at(written(tmp_path, RIGHT))
    desk, shelf = inventory.machine
    assert (desk.instance_type, desk.zone, desk.gpus, desk.hourly_price) == ("own", "own", 1, None)
    assert (desk.host_key, str(shelf.address), shelf.gpus) == (KEY, "2001:db8::7", 2)
    assert inventory.zones == ("own", "cellar")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('address = "192.0.2.7"', "", "machine 1 (desk), address: Field required"),
        ('address = "2001:db8::7"', 'address = "shelf.local"', "machine 2 (shelf), address: value is not a valid IP"),
        ('"cellar"', '"the cellar"', "machine 2 (shelf), zone: String should match"),
        (f"{KEY} root@desk", "ssh-rsa AAAA", "machine 1 (desk), host_key: Value error, a line of /etc/ssh"),
        ('name = "shelf"', 'name = "desk"', "machines have the name desk"),
        ("2001:db8::7", "192.0.2.7", "two machines have the address 192.0.2.7"),
        ('instance_type = "big"', "", "desk and shelf are both own, but differ in their GPUs"),
        ('currency = "EUR"', "", "machine 2 (shelf): Value error, hourly_price and currency go together"),
        ("gpus = 2", "gpu_count = 2", "machine 2 (shelf), gpu_count: Extra inputs"),
        ('name = "desk"', "", "machine 1, name: Field required"),
        ("[[machine]]", "[[machines]]", "machine: Field required"),
        ("gpus = 2", "gpus = two", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in RIGHT
    path = written(tmp_path, RIGHT.replace(before, after))
    with pytest.raises(InventoryInvalid) as refused:
        inventory_at(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InventoryInvalid, match=r"no\.toml cannot be read: No such file"):
        inventory_at(tmp_path / "no.toml")


def started(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COLDSTART_", "SCW_"))}
    environment = {**kept, "COLDSTART_MASTER_SECRET": MASTER, **variables}
    return subprocess.run(
        [sys.executable, "-m", "services.provisioner", *words],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.real
def test_a_provisioner_without_any_provider_does_not_start_and_says_what_is_missing() -> None:
    ended = started()
    assert ended.returncode == 2
    assert ended.stderr.startswith("no provider is configured: set SCW_ACCESS_KEY")
    assert "COLDSTART_MACHINES" in ended.stderr


@pytest.mark.real
def test_a_provisioner_that_is_asked_to_check_says_what_is_wrong_with_the_file_of_machines(tmp_path: Path) -> None:
    ended = started("check", COLDSTART_MACHINES=str(tmp_path / "no.toml"))
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["provider"] == "machines"
    assert [(check["subject"], check["outcome"]) for check in answer["checks"]] == [("file", "failed")]
    assert "no.toml cannot be read: No such file" in answer["checks"][0]["detail"]
