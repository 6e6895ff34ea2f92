"""The functions that fetch weights, in a real bash with the real curl, and the files that they are to fetch."""

import hashlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from services.provisioner.install.output import Fetched, parse_line
from tests.provisioner.install.lying_hub import Answer, LyingHub

HERE: Final = Path("services/provisioner/install")
SCRIPT: Final = "".join(
    (HERE / f"{name}.sh").read_text() for name in ("disk_space", "weights", "weights_download", "weights_ranges")
)
COMMIT: Final = "7ae557604adf67be50417f59c2c2f167def9a775"
TOKEN: Final = 'hf_"of\\us'
LARGE: Final = hashlib.shake_256(b"1").digest(300_000)
BLOCK: Final = 4096
"""So many bytes at a time curl writes to its file."""
FILES: Final = {
    "model-1.safetensors": LARGE,
    "model-2.safetensors": hashlib.shake_256(b"2").digest(200_000),
    "config.json": b'{"model_type": "tiny"}',
    "tokenizer/vocab with spaces.txt": b"a b c",
    "empty.txt": b"",
}


def blob_of(content: bytes) -> str:
    """As the hub names it: large files by their SHA-256, small ones by git's id."""
    if len(content) > 100_000:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def listed(url: str, *paths: str) -> str:
    return "\n".join(
        f"{len(FILES[path])}\t{blob_of(FILES[path])}\tyes\t{url}/{path.replace(' ', '%20')}\t{path}"
        for path in paths or FILES
    )


def command(root: Path, hub: LyingHub, *paths: str, more: str = "", then: str = "weights") -> str:
    """Sleeps are told, and not slept."""
    return f"""set -euo pipefail; shopt -s inherit_errexit
    export COLDSTART_ROOT={root}
    root={root} data={root}/mnt/data CACHE=shared MODEL=some/model REVISION={COMMIT} WEIGHTS_PARALLEL=3
    WEIGHTS_OFFLINE=yes WEIGHTS_READ_AHEAD=yes SEALS="" HF_TOKEN='{TOKEN}'
    WEIGHTS='{listed(hub.url, *paths)}'
    {SCRIPT}
    fail() {{ echo "failed: $*"; exit 1; }}
    sleep() {{ echo "slept $1"; }}
    {more}
    trap end_weights EXIT
    begin_weights
    {then}"""


def run(root: Path, hub: LyingHub, *paths: str, more: str = "", then: str = "weights") -> tuple[int, str]:
    told = command(root, hub, *paths, more=more, then=then)
    ran = subprocess.run(
        ["bash", "-c", told], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60
    )
    return ran.returncode, ran.stdout


def snapshot(root: Path) -> Path:
    return root / f"mnt/data/huggingface/shared/hub/models--some--model/snapshots/{COMMIT}"


def kept(root: Path) -> dict[str, bytes]:
    folder = snapshot(root)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_whole(root: Path) -> bool:
    return kept(root) == FILES


def of_all(said: str) -> list[Fetched]:
    return [line for line in map(parse_line, said.splitlines()) if isinstance(line, Fetched)]


@contextmanager
def started(root: Path, hub: LyingHub, stalled: threading.Event, more: str = "") -> Iterator["subprocess.Popen[str]"]:
    """In a process group of its own, at the moment when the first file has come half."""
    hub.answers["model-1.safetensors"] = deque([Answer(stalls_after=40 * BLOCK, meanwhile=stalled.set)])
    process = subprocess.Popen(
        ["bash", "-c", command(root, hub, more=more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert stalled.wait(60)
        blobs = snapshot(root).parents[1] / "blobs"
        while max((part.stat().st_size for part in blobs.glob(f"{blob_of(LARGE)}.coldstart*")), default=0) < 30 * BLOCK:
            os.sched_yield()
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout
        process.stdout.close()


def holders(root: Path) -> list[int]:
    """Every process of the download."""
    lock = root / "var/lib/coldstart/weights/lock"
    found = []
    for held in Path("/proc").glob("[0-9]*/fd/7"):
        try:
            if held.samefile(lock):
                found.append(int(held.parts[2]))
        except OSError:
            continue
    return found


def lines_of(processes: list[int]) -> Iterator[tuple[int, bytes]]:
    """The command lines of those that are curl."""
    for process in processes:
        with suppress(OSError):
            line = Path(f"/proc/{process}/cmdline").read_bytes()
            if line.startswith(b"curl\0"):
                yield process, line
