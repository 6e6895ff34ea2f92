"""SQL is in `.sql` files beside the code that runs it: one statement per file, named for what it does."""

from functools import cache
from importlib.resources import files
from typing import Any

import asyncpg


@cache
def statement(package: str, name: str) -> str:
    """The text of `<package>/sql/<name>.sql`, wherever the package is installed."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def only(row: asyncpg.Record | None) -> dict[str, Any]:
    """The row of an INSERT … RETURNING, which always gives one."""
    assert row is not None  # noqa: S101
    return dict(row)
