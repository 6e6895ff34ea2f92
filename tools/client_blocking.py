"""Makes `coldstart_client/blocking` from `coldstart_client/aio`: the same code without async and await.

`python -m tools.client_blocking` writes it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from unasync import Rule, unasync_files

PROJECT: Final = Path(__file__).parents[1]
FROM: Final = PROJECT / "coldstart_client/aio"
TO: Final = PROJECT / "coldstart_client/blocking"
_NAMES: Final = {
    "AsyncBaseTransport": "BaseTransport",
    "AsyncByteStream": "SyncByteStream",
    "AsyncIterator": "Iterator",
    "aclose": "close",
    "aclosing": "closing",
    "aconnect_sse": "connect_sse",
    "aio": "blocking",
    "aiter_sse": "iter_sse",
    "anext": "next",
    "aread": "read",
    "asyncio": "time",  # of which only `sleep` is used
    "asynchronous": "blocking",
}
_OWN: Final = ("Client", "Connection", "Deployments", "Events", "Following", "Instances", "Models", "Stream")
"""Without `Async`, which their counterparts have before them."""
_NOTE: Final = "# Made from {}/{} by `make docs`: change that.\n"
_OURS: Final = 'lint.isort.known-first-party=["coldstart_client"]'
_RUFF: Final = (sys.executable, "-m", "ruff")


def made() -> dict[str, str]:
    """The text of each module, by its name."""
    names = _NAMES | {f"Async{name}": name for name in _OWN}
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder, "aio")
        results = Path(folder, "blocking")
        sources.mkdir()
        for path in sorted(FROM.glob("*.py")):
            (sources / path.name).write_text(path.read_text())
        rule = Rule(f"{sources}/", f"{results}/", additional_replacements=names)
        unasync_files([str(path) for path in sources.glob("*.py")], [rule])
        for path in results.glob("*.py"):
            path.write_text(_NOTE.format(FROM.relative_to(PROJECT), path.name) + path.read_text())
        _ruff("check", "--quiet", "--fix", "--select", "I,F", "--config", _OURS, results)
        _ruff("format", "--quiet", results)
        return {path.name: path.read_text() for path in sorted(results.glob("*.py"))}


def _ruff(command: str, *words: str | Path) -> None:
    config = PROJECT / "pyproject.toml"
    subprocess.run([*_RUFF, command, "--config", config, *words], check=True)


def main() -> None:
    TO.mkdir(exist_ok=True)
    modules = made()
    for path in TO.glob("*.py"):
        if path.name not in modules:
            path.unlink()
    for name, text in modules.items():
        (TO / name).write_text(text)


if __name__ == "__main__":
    main()
