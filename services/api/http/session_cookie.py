"""The cookie of a session: under TLS its name begins with `__Host-`, which no other host and no plain page can set.

The scheme says whether a request came over TLS; behind a proxy that is X-Forwarded-Proto, if FORWARDED_ALLOW_IPS trusts
the proxy. So a plain-named cookie, planted from a neighbouring host or over plain HTTP, does not count there.
"""

from typing import Final, cast

from litestar.types import Scope

COOKIE: Final = "coldstart_session"
UNDER_TLS: Final = f"__Host-{COOKIE}"
"""https://www.rfc-editor.org/rfc/rfc6265bis: browsers accept it only with Secure, for `/` and without a Domain."""


def cookie_name(scheme: str) -> str:
    return UNDER_TLS if scheme == "https" else COOKIE


def with_one_session_cookie(scope: Scope) -> Scope:
    """The request with the session's cookie under its plain name, if it came under the name that counts."""
    if scope["scheme"] != "https" or not any(name == b"cookie" for name, _ in scope["headers"]):
        return scope
    headers = [(name, _renamed(value) if name == b"cookie" else value) for name, value in scope["headers"]]
    return cast("Scope", {**scope, "headers": headers})


def _renamed(cookies: bytes) -> bytes:
    cookies_left = []
    for cookie in cookies.split(b";"):
        name, equals, value = cookie.strip().partition(b"=")
        if name == UNDER_TLS.encode():
            cookies_left.append(COOKIE.encode() + equals + value)
        elif name != COOKIE.encode():
            cookies_left.append(cookie.strip())
    return b"; ".join(cookies_left)
