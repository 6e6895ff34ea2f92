"""MkDocs' hook: the pages outside docs/ (README, CHANGELOG, CONTRIBUTING, examples) become pages of the site.

MkDocs calls the functions by their names (https://www.mkdocs.org/user-guide/configuration/#hooks).
"""

import posixpath
import re
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/README.md": "examples/index.md",
    "examples/nats.md": "examples/nats.md",
}
"""By their places in the project: their places in the site."""
_LINK: Final = re.compile(
    r"""\[(?P<text>[^]]*)\]\((?P<target>[^)\s]+)\)|(?<=["\s])(?P<name>src|srcset)="(?P<source>[^"]+)\""""
)
_SOURCES: Final = {site: project for project, site in PAGES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = Path(config.config_file_path).parent
    for project, site in PAGES.items():
        files.append(File.generated(config, site, abs_src_path=str(root / project)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    root = Path(config.config_file_path).parent
    here = _SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    known = {file.src_uri for file in files}
    return _LINK.sub(lambda found: _in_the_site(found, root, here, page.file.src_uri, known), markdown)


def _in_the_site(found: re.Match[str], root: Path, here: str, page: str, known: set[str]) -> str:
    """A link of a page at `here` in the project; its text alone, if only the project has what it leads to."""
    target, _, anchor = (found["target"] or found["source"]).partition("#")
    if not target or "://" in target or target.startswith(("mailto:", "/")):
        return found[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(here), target))
    inside = PAGES.get(place, place.removeprefix("docs/"))
    if inside not in known:
        return found["text"] if found["target"] and (root / place).exists() else found[0]
    there = posixpath.relpath(inside, posixpath.dirname(page) or ".")
    if found["source"]:
        return f'{found["name"]}="{there}"'
    return f"[{found['text']}]({there}{'#' if anchor else ''}{anchor})"
