"""Checks of URLs that people give."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

HTTP: Final = frozenset({"http", "https"})
HTTP_EXAMPLE: Final = "a URL such as http://127.0.0.1:8080"


def checked_url(url: str, schemes: frozenset[str], *, host: bool = True) -> str:
    """Raises ValueError for anything but a URL with one of these schemes. `host`: it must name one."""
    parts = urlsplit(url)
    if parts.scheme not in schemes or (host and not parts.hostname) or parts.port == 0:  # an invalid port raises
        raise ValueError("not such a URL")
    return url


def is_loopback(url: str) -> bool:
    """Whether only this computer reaches it."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
