"""A model in huggingface_hub's cache on a machine's disk. Large files have their size, and take no room."""

from pathlib import Path

from simulator.hub.files import repository
from simulator.hub.models import Model


def folder(cache: Path, model: Model) -> Path:
    return cache / "hub" / f"models--{model.id.replace('/', '--')}"


def missing(cache: Path, model: Model) -> dict[str, int]:
    """Bytes of each file that its commit has and the cache has not, or only a part of."""
    snapshot = folder(cache, model) / "snapshots" / model.sha
    return {path: size for path, size in model.files().items() if not _has(snapshot / path, size)}


def lay(cache: Path, model: Model) -> None:
    """Make all files complete: each one as a blob that has the name of its checksum, and a link to it."""
    blobs, snapshot = (folder(cache, model) / name for name in ("blobs", f"snapshots/{model.sha}"))
    for each in (blobs, snapshot):
        each.mkdir(parents=True, exist_ok=True)
    for path in missing(cache, model):
        file = repository(model)[path]
        blob = blobs / (file.sha256 or file.blob)
        with blob.open("wb") as writing:
            writing.write(file.content or b"")
            writing.truncate(file.size)
        (snapshot / path).unlink(missing_ok=True)
        (snapshot / path).symlink_to(Path("../../blobs") / blob.name)


def _has(file: Path, size: int) -> bool:
    return file.exists() and file.stat().st_size == size
