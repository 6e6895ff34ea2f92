"""Debian's docker-registry, on loopback."""

import subprocess
from collections.abc import Iterator, Sequence
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
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def registry(program: Path, folder: Path, port: int, log: Path, within: Sequence[str] = ()) -> Iterator[str]:
    """Runs `program` until the end of the block: the images in `folder` are at 127.0.0.1:`port`. Yields the URL.

    `within` is put before the command, to run it in another namespace; then nobody looks whether it serves.
    """
    configuration = folder.with_name("registry.yml")
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as said:
        process = subprocess.Popen([*within, program, "serve", configuration], stdout=said, stderr=said)
    try:
        if not within:
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
