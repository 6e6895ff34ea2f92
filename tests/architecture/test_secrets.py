"""Where an object that holds a secret is shown, in a log or a traceback, the secret is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_SECRET: Final = re.compile(r"private|bearer|authorization|cloud_init|password|key|\w*(api_key|token|secret)")
_SHOWN: Final = ("str", "bytes", "str | None", "bytes | None")
_HIDDEN: Final = re.compile(r"\w*ield\(.*repr=False")


def shown_secrets(source: str) -> Iterator[str]:
    """Fields of classes that are named like a secret, and appear in the repr."""
    for owner in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
        for node in owner.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_class(owner):
                name, value = node.target.id, ast.unparse(node.value) if node.value else ""
                if _SECRET.fullmatch(name) and ast.unparse(node.annotation) in _SHOWN and not _HIDDEN.match(value):
                    yield f"{owner.name}.{name}"


def _is_class(owner: ast.ClassDef) -> bool:
    """Whether its fields are those of its instances."""
    return bool(owner.bases or owner.decorator_list)


@pytest.mark.parametrize("field", ["private: str", "api_key: bytes | None = None", "hf_token: str = field()"])
def test_a_secret_in_a_repr_is_found(field: str) -> None:
    assert [*shown_secrets(f"@dataclass\nclass Key:\n    {field}\n")]
    assert not [*shown_secrets("@dataclass\nclass Key:\n    private: str = field(repr=False)\n")]


def test_no_secret_is_in_the_repr_of_what_holds_it() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {field}"
        for folder in ("coldstart", "services", "shared")
        for path in (ROOT / folder).rglob("*.py")
        for field in shown_secrets(path.read_text(encoding="utf-8"))
    ]
    assert not found
