"""Images as a registry keeps them: layers of files, a configuration, a manifest.

Their types are Docker's (image manifest version 2, schema 2): Docker 20.10 pulls an image of OCI's types, too, but its
`docker manifest inspect` does not find one.
"""

import gzip
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIGURATION: Final = "application/vnd.docker.container.image.v1+json"
_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Layer:
    """`digest` is of the compressed file, `content` of the tar archive in it, both as `sha256:…`."""

    file: Path
    digest: str
    content: str
    what: str


def layer_of(root: Path, names: Sequence[str], leave_out: Sequence[str], file: Path, what: str) -> Layer:
    """Packs `names` below `root` into `file`, as they are but for `leave_out` (paths below `root`, too)."""
    excluded = [f"--exclude=./{name}" for name in leave_out]
    tar = ["tar", "--create", "--numeric-owner", "--sort=name", f"--directory={root}", "--anchored", *excluded]
    content = hashlib.sha256()
    with (
        subprocess.Popen([*tar, *(f"./{name}" for name in names)], stdout=subprocess.PIPE) as packing,
        file.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as packed,
    ):
        assert packing.stdout is not None
        while chunk := packing.stdout.read(_CHUNK):
            content.update(chunk)
            packed.write(chunk)
    if packing.returncode != 0:
        raise OSError(f"tar could not pack {root} (status {packing.returncode}).")
    with file.open("rb") as stored:
        digest = hashlib.file_digest(stored, "sha256").hexdigest()
    return Layer(file, f"sha256:{digest}", f"sha256:{content.hexdigest()}", what)


def push(
    registry: str, name: str, tags: Sequence[str], layers: Sequence[Layer], configuration: Mapping[str, Any]
) -> None:
    """Puts an image with its tags into the registry at that URL, by the API of the OCI distribution specification 1.1.

    `configuration` is the image's `config`: Entrypoint, Env, … Raises httpx.HTTPError.
    """
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": dict(configuration),
        "rootfs": {"type": "layers", "diff_ids": [layer.content for layer in layers]},
        "history": [{"created_by": layer.what} for layer in layers],
    }
    with httpx.Client(base_url=f"{registry}/v2/{name}", timeout=600) as client:
        described = [
            {"mediaType": _LAYER, "size": layer.file.stat().st_size, "digest": layer.digest} for layer in layers
        ]
        for layer in layers:
            with layer.file.open("rb") as content:
                _upload(client, layer.digest, content, layer.file.stat().st_size)
        config = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        _upload(client, digest, config, len(config))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": _CONFIGURATION, "size": len(config), "digest": digest},
            "layers": described,
        }
        for tag in tags:
            client.put(
                f"/manifests/{tag}", content=json.dumps(manifest), headers={"Content-Type": MANIFEST}
            ).raise_for_status()


def _upload(client: httpx.Client, digest: str, content: Any, size: int) -> None:
    begun = client.post("/blobs/uploads/")
    begun.raise_for_status()
    place = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    client.put(place, content=content, headers=headers).raise_for_status()
