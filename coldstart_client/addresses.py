"""The paths of the API."""

from urllib.parse import quote


def path(*parts: object) -> str:
    """E.g. `/instances/<id>/timeline`. A part cannot turn it into another path."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)
