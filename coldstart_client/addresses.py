"""The paths of the API."""

from urllib.parse import quote


def path(*parts: object) -> str:
    """E.g. `/instances/<id>/timeline`. A part cannot turn it into another path, as `..` would."""
    return "".join(f"/{_quoted(str(part))}" for part in parts)


def _quoted(part: str) -> str:
    return part.replace(".", "%2E") if part in {".", ".."} else quote(part, safe="")
