"""Debian's docker-registry."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from real_line.waiting import until

CONFIGURATION: Final = """\
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}}}
http: {{addr: "{address}:{port}"}}
"""


@contextmanager
def registry(program: Path, folder: Path, port: int, log: Path, *, address: str = "127.0.0.1") -> Iterator[str]:
    """Runs `program` until the end of the block: the images in `folder` are at that address. Yields the URL."""
    configuration = folder.with_name("registry.yml")
    configuration.write_text(CONFIGURATION.format(folder=folder, address=address, port=port))
    url = f"http://{address}:{port}"
    with log.open("ab") as said:
        process = subprocess.Popen([program, "serve", configuration], stdout=said, stderr=said)
    try:
        until(lambda: _serves(url), f"the registry at {url}", 30)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _serves(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/", timeout=5).is_success
    except httpx.TransportError:
        return False
