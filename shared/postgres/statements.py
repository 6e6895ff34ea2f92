"""SQL lives in `.sql` files beside the code that runs it, one statement a file, named for what it does."""

from functools import cache
from importlib.resources import files


@cache
def statement(package: str, name: str) -> str:
    """The text of `<package>/sql/<name>.sql`, wherever the package is installed."""
    return files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
