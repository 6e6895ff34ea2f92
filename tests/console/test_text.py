"""What the pages show of others is text: nothing of it becomes a part of the page."""

import re
from pathlib import Path

import pytest

import services.api.console

CONSOLE = Path(services.api.console.__file__).parent
SCRIPTS = sorted((CONSOLE / "static").glob("*.js"))
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
_CONSTANT = re.compile(r"\.innerHTML\s*=(?:\s*'[^'$]*'\s*\+?)+;")
_AS_HTML = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc"
    r"|\beval\(|new Function|javascript:"
)


def test_there_are_scripts_and_templates_to_look_at() -> None:
    assert len(SCRIPTS) > 20
    assert TEMPLATES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_script_makes_html_of_what_it_was_told(script: Path) -> None:
    assert not _AS_HTML.search(_CONSTANT.sub("", script.read_text()))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_no_template_takes_the_escaping_away(template: Path) -> None:
    assert not re.search(r"\|\s*safe\b|autoescape", template.read_text())
