"""The documentation's site: every page is in it, every link of a page leads somewhere, and it asks no other host."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from tests.embedded.owners import PROJECT
from tools import commands_page, settings_page

LOADED = re.compile(
    r"""<(?:script|link|img|source)\b[^>]*\b(?:src|href|srcset)=["']?(?P<from>(?:https?:)?//[^"'\s>]+)"""
)


def built(folder: Path, change: Callable[[str], str] = lambda text: text) -> Path:
    """The site of this project, whose glossary is changed before."""
    for place in PROJECT.iterdir():
        if place.name != "docs" and not place.name.startswith("."):
            (folder / place.name).symlink_to(place)
    (folder / "docs").mkdir()
    for place in (PROJECT / "docs").iterdir():
        if place.name != "glossary.md":
            (folder / "docs" / place.name).symlink_to(place)
    text = (PROJECT / "docs/glossary.md").read_text(encoding="utf-8")
    (folder / "docs/glossary.md").write_text(change(text), encoding="utf-8")
    build(load_config(config_file=str(folder / "mkdocs.yml"), site_dir=str(folder / "site")))
    return folder / "site"


def test_every_page_is_in_the_site_every_link_leads_somewhere_and_no_other_host_is_asked(tmp_path: Path) -> None:
    site = built(tmp_path)
    pages = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    assert {"index.html", "examples/nats.html", *(f"{path.stem}.html" for path in PROJECT.glob("docs/*.md"))} <= {
        *pages
    }
    assert not {found["from"] for text in pages.values() for found in LOADED.finditer(text)}
    assert 'src="screenshots/fleet.png"' in pages["index.html"]
    assert 'href="examples/index.html"' in pages["index.html"]


@pytest.mark.parametrize("link", ["[x](nothing.md)", "[x](running.md#nothing)"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, link: str) -> None:
    with pytest.raises(Abort):
        built(tmp_path, lambda text: f"{text}\n{link}\n")


@pytest.mark.parametrize(("name", "page"), [("settings", settings_page.page), ("commands", commands_page.page)])
def test_the_pages_drawn_from_the_code_are_those_of_today(name: str, page: Callable[[], str]) -> None:
    assert page() == (PROJECT / f"docs/{name}.md").read_text(encoding="utf-8"), "run `make docs`"


def test_the_settings_page_has_what_every_service_reads() -> None:
    lines = settings_page.page().splitlines()
    wait = next(line for line in lines if "`COLDSTART_SETTLE_SECONDS`" in line)
    assert wait == (
        "| `COLDSTART_SETTLE_SECONDS` | a number above 0 | `40` "
        "| How long after a possible creation an empty list counts; longer than the two above together. |"
    )
    assert sum("`COLDSTART_LEASE_SECONDS`" in line for line in lines) == 2  # of every service, and of the stack
