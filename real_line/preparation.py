"""What the real line needs before it starts: made once, then kept in the data folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from real_line import debian, vllm_image
from real_line.commands import Commands
from real_line.images import MANIFEST
from real_line.kept import Kept
from real_line.versions import Version

_REGISTRY: Final = "docker-registry"
_MODELS: Final = Path(__file__).parent / "make_models.py"


@dataclass(frozen=True)
class Prepared:
    """`machine` has disk.ext4 and host_key.pub, `registry` a registry's storage, `models` a folder for each model."""

    machine: Path
    registry_program: Path
    registry: Path
    models: Path


def prepared(run: Commands, kept: Kept, downloads: Path, version: Version) -> Prepared:
    """Downloads and builds what is missing. Raises CommandFailed."""
    debian.install_on_host(run)
    machine = kept(
        "machine",
        (debian.SUITE, debian.MACHINE_PACKAGES, debian.CLOUD_INIT, debian.DISK_GB),
        "the machine: Debian by debootstrap, and docker.io for its apt",
        lambda folder: debian.machine_disk(run, folder),
    )
    unpacked = kept(
        "registry-program", _REGISTRY, "Debian's docker-registry", lambda folder: debian.unpack(run, _REGISTRY, folder)
    )
    program = unpacked / "usr/bin/docker-registry"
    parts = (debian.SUITE, debian.IMAGE_PACKAGES, version.number, version.torch, version.overrides, version.cuda_torch)
    root = kept(
        f"root-{version.number}",
        parts,
        f"vLLM {version.number} and torch {version.torch} from the package index",
        lambda folder: vllm_image.root_of(run, version, downloads, folder),
    )
    models = kept(
        f"models-{version.number}",  # a tokenizer of a later version is none to an earlier one
        (_MODELS.read_bytes(), parts),
        "three models with random weights",
        lambda folder: make_models(run, root / "root", folder),
    )
    registry = kept(
        f"registry-{version.number}",
        (parts, vllm_image.configuration(version), MANIFEST, vllm_image.PLUGIN.read_bytes()),
        "the image's layers",
        lambda folder: vllm_image.store(run, program, root / "root", version, folder),
    )
    return Prepared(machine, program, registry / "registry", models)


def make_models(run: Commands, root: Path, folder: Path) -> None:
    """Runs make_models.py in the image's own Python, with the image's torch and transformers."""
    script = root / "tmp/make_models.py"
    script.write_bytes(_MODELS.read_bytes())
    made = root / "tmp/models"
    made.mkdir(exist_ok=True)
    run("chroot", root, f"python{debian.PYTHON}", "/tmp/make_models.py", "/tmp/models")  # noqa: S108 - the image's
    script.unlink()
    for model in made.iterdir():
        model.rename(folder / model.name)
    made.rmdir()
