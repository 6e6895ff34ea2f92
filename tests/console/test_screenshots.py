"""The pictures in the documentation can be taken again, and are all of them shown there."""

import re
from pathlib import Path

from playwright.async_api import Browser

from tests.api.stage import Stage
from tests.console.screenshots import FOLDER, SHOTS, shots

PROJECT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n"


async def test_every_picture_can_be_taken_again(stage: Stage, browser: Browser, tmp_path: Path) -> None:
    taken = await shots(stage, browser, tmp_path)
    assert [path.stem for path in taken] == [shot.name for shot in SHOTS]
    assert all(path.read_bytes().startswith(PNG) for path in taken)


def test_the_documentation_shows_each_and_no_other() -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    shown = {name for page in pages for name in re.findall(r"screenshots/([a-z-]+)[.]png", page.read_text())}
    assert shown == {shot.name for shot in SHOTS} == {path.stem for path in (PROJECT / FOLDER).glob("*.png")}
