"""A field of POST /instances stands in five files, and whoever adds one finds them in CONTRIBUTING."""

import re
from pathlib import Path
from typing import Final

from services.api.admission.launch_body import InstanceBody

ROOT: Final = Path(__file__).parents[2]
FILES: Final = {
    "shared/lifecycle/wish.py",
    "services/api/admission/launch_body.py",
    "services/api/console/templates/launch.html",
    "coldstart/commands/instances.py",
    "docs/events-schema.json",
}
DRAWN: Final = {
    "docs/schemas/Instance.json",
    "docs/schemas/InstanceRequested.json",
    "shared/journal/event_examples.json",
}
"""Drawn by `make docs`, as the schema of all events is."""
PLAIN: Final = ("volume_gb", "keep_for_inspection", "max_lifetime", "idle_shutdown")
"""Fields that nothing follows from until the machine is there, and whose names mean nothing else."""
TABLE: Final = 3
SUFFIXES: Final = {".py", ".js", ".html", ".sql", ".json", ".md"}


def naming(text: str) -> int:
    return sum(bool(re.search(rf"\b{field}\b", text)) for field in PLAIN)


def test_a_field_of_a_launch_is_added_in_five_files() -> None:
    assert set(PLAIN) <= InstanceBody.model_fields.keys()
    folders = ("shared", "services", "coldstart", "simulator", "migrations", "docs")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    assert {str(path.relative_to(ROOT)) for path in paths if naming(path.read_text()) >= TABLE} == FILES | DRAWN


def test_contributing_names_them() -> None:
    written = (ROOT / "CONTRIBUTING.md").read_text()
    section = written.partition("## To add a field of POST /instances")[2].partition("\n## ")[0]
    assert {path for path in FILES if path in section} == FILES
