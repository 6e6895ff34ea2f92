"""The origin of a browser's request (https://w3c.github.io/webappsec-fetch-metadata/)."""

from typing import Any

from litestar import Request


def from_here(request: Request[Any, Any, Any]) -> bool:
    """Whether one of our pages sent it, or no page at all."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def from_another_site(request: Request[Any, Any, Any]) -> bool:
    """Whether somebody followed a link on another site, so that the browser held the session's cookie back."""
    return request.headers.get("sec-fetch-site") == "cross-site"
