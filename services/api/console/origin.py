"""Where a browser's request comes from (https://w3c.github.io/webappsec-fetch-metadata/)."""

from typing import Any

from litestar import Request


def from_here(request: Request[Any, Any, Any]) -> bool:
    """Sent by a page of ours, or by no page at all."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")


def from_another_site(request: Request[Any, Any, Any]) -> bool:
    """A link there was followed, so that a session's cookie was held back."""
    return request.headers.get("sec-fetch-site") == "cross-site"
