"""The metrics that docs/metrics.md lists; another test compares that page with the code."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.metrics_page import Declared

ROOT: Final = Path(__file__).parents[2]


def declared() -> Sequence[Declared]:
    lines = (ROOT / "docs/metrics.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [
        Declared(name.strip("`"), kind, text, tuple(label.strip("` ") for label in labels.split(",") if label))
        for name, kind, labels, _, text in rows
    ]
