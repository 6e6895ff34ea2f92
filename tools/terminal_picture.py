"""docs/demo.svg: what `make demo` prints, as a terminal shows it. `python -m tools.terminal_picture` runs it."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

PICTURE: Final = Path("docs/demo.svg")
WIDTH: Final = 88
_LEFT_OUT: Final = (
    *("SecurityGroup", "Volume", "IpAssigned", "PortsOpened", "HostKey", "SshInstallPhaseReached", "WeightsProgressed"),
    *("ModelLoadProgressed", "WorkerReachable", "WarmupCompleted", "idle stack", "control plane", "routed", "p99"),
)
"""Steps of a launch that a picture has no room for."""
_FONTS: Final = re.compile(r"@font-face {.*?}", re.DOTALL)
"""Of another host, which a picture does not ask."""


def picture(printed: str) -> str:
    console = Console(record=True, width=WIDTH, file=StringIO(), legacy_windows=False)
    console.print(Text("$ make demo", style="bold"))
    for line in _shown(printed.splitlines()):
        console.print(Text(line, style=_style(line)))
    return _FONTS.sub("", console.export_svg(title="make demo", unique_id="demo"))


def _shown(lines: Sequence[str]) -> Iterator[str]:
    left_out = False
    for line in lines:
        if any(part in line for part in _LEFT_OUT):
            if not left_out:
                yield " …"
            left_out = True
        else:
            left_out = False
            yield line


def _style(line: str) -> str:
    if line.startswith(("POST", "PUT", "DELETE")):
        return "bold cyan"
    return "green" if line.startswith("100 %") or "nothing" in line else ""


if __name__ == "__main__":
    made = subprocess.run([sys.executable, "-m", "coldstart", "demo"], capture_output=True, text=True, check=True)
    PICTURE.write_text(picture(made.stdout), encoding="utf-8")
