"""The pictures in the documentation are of the pages as they are, can be taken again, and are all shown there."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.api.stage import Stage
from tests.console.screenshots import FOLDER, OF, PROJECT, SHOTS, digest, shots

PNG = b"\x89PNG\r\n\x1a\n"


async def test_every_picture_can_be_taken_again(stage: Stage, browser: Browser, tmp_path: Path) -> None:
    taken = await shots(stage, browser, tmp_path)
    assert [path.stem for path in taken] == [shot.name for shot in SHOTS]
    assert all(path.read_bytes().startswith(PNG) for path in taken)


@pytest.mark.real
def test_every_picture_was_taken_of_the_pages_as_they_are_now() -> None:
    taken_of = (PROJECT / FOLDER / OF).read_text().strip()
    assert taken_of == digest(), "a page has changed since its picture was taken: run make screenshots"


def test_the_documentation_shows_each_and_no_other() -> None:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
    shown = {name for page in pages for name in re.findall(r"screenshots/([a-z-]+)[.]png", page.read_text())}
    assert shown == {shot.name for shot in SHOTS} == {path.stem for path in (PROJECT / FOLDER).glob("*.png")}
