"""Every `coldstart …` in a page or in the program's own sentences is a command, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

from coldstart.cli import app
from coldstart.commands.table import COMMANDS, loaded
from tests.embedded.owners import PROJECT

PAGES: Final = (
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted(each for each in PROJECT.glob("docs/*.md") if each.name != "commands.md"),
    *sorted(PROJECT.glob("examples/*.md")),
)
BLOCK: Final = re.compile(r"^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN: Final = re.compile(r"(?<!`)`(coldstart [^`]+)`(?!`)")
COMMAND: Final = re.compile(r"(?:^|[|&;(]\s*|\brun [^|;&]*?)(coldstart [^|;&)#]*)")
OPTION: Final = re.compile(r"--?[a-z][a-z-]*")


def mentioned(text: str) -> Iterator[str]:
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from (found.strip() for found in COMMAND.findall(line.strip()))
    for span in SPAN.findall(BLOCK.sub("", text)):
        yield " ".join(span.split())


@cache
def root() -> Any:
    command = get_command(app)
    for name in COMMANDS:
        command.add_command(loaded(name), name)  # type: ignore[attr-defined]
    return command


def wrong_with(command: str) -> str | None:
    """A word in capitals or of dots stands for something, and a group alone for all that is in it."""
    words = shlex.split(command.replace("…", "X").replace("'", ""))[1:]
    here, options, path = root(), {"--help": False}, "coldstart"
    while words:
        options |= {name: _takes_a_value(each) for each in here.params for name in (*each.opts, *each.secondary_opts)}
        word = words.pop(0)
        if option := OPTION.match(word):
            if option[0] not in options:
                return f"{path} has no option {option[0]}"
            if options[option[0]] and "=" not in word:
                del words[:1]
        elif inner := getattr(here, "commands", {}):
            if word.isupper() or "|" in word:
                return None
            if word not in inner:
                return f"{path} has no command {word}"
            here, path = inner[word], f"{path} {word}"
    return None


def _takes_a_value(parameter: Any) -> bool:
    return not (getattr(parameter, "is_flag", False) or getattr(parameter, "count", False))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_one(page: Path) -> None:
    commands = set(mentioned(page.read_text(encoding="utf-8")))
    assert not {command: wrong for command in commands if (wrong := wrong_with(command))}


def test_every_command_that_the_program_itself_names_is_one() -> None:
    wrong, named = {}, 0
    for folder in ("coldstart", "services", "shared", "simulator"):
        for source in PROJECT.glob(f"{folder}/**/*.py"):
            text = re.sub(r'"\s*\n\s*f?"', "", source.read_text(encoding="utf-8"))
            for command in SPAN.findall(re.sub(r"{[^{}]*}", "X", text)):
                named += 1
                if said := wrong_with(" ".join(command.split())):
                    wrong[f"{source.name}: {command}"] = said
    assert not wrong
    assert named > 50


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("coldstart up --realistic", None),
        ("coldstart instances create Qwen/x --type L4-1-24G --watch", None),
        ("coldstart launch x", "coldstart has no command launch"),
        ("coldstart instances show x --yes", "coldstart instances show has no option --yes"),
        ("coldstart instances begin", "coldstart instances has no command begin"),
    ],
)
def test_what_there_is_not_is_told(command: str, wrong: str | None) -> None:
    assert wrong_with(command) == wrong
