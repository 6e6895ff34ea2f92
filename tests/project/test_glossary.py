"""The glossary: in order, each term once, and every place that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/glossary.md").read_text()
TERMS = re.findall(r"^\| \*\*(.+?)\*\* \| (.+) \|$", GLOSSARY, re.MULTILINE)


def test_terms_are_in_order_and_each_is_explained_once() -> None:
    names = [name for name, _ in TERMS]
    assert len(names) == len(set(names)) == GLOSSARY.count("\n| **")
    assert names == sorted(names)


@pytest.mark.parametrize("place", sorted({*re.findall(r"`((?:shared|services|coldstart)/[\w/.]+)`", GLOSSARY)}))
def test_a_place_that_it_names_is_there(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_pages_that_one_reads_first_link_to_it(page: str) -> None:
    assert "glossary.md" in (ROOT / page).read_text()
