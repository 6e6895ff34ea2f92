"""Which path a client with a wrong base URL meant."""

import re
from collections.abc import Mapping
from typing import Final

from litestar.types import Scope

from services.api.http.inference_paths import V1, is_anthropic_s
from services.api.router.endpoints import ENDPOINTS

MODELS: Final = "/v1/models"
_VERSIONS: Final = re.compile(r"\A(?:/v1)+(?=/)")
_HOST: Final = re.compile(rb"[A-Za-z0-9._~:\[\]-]{1,255}")


def intended(path: str) -> str | None:
    """The existing path, if this one has a slash too many, or `/v1` is missing or superfluous; None otherwise."""
    tidy = "/" + "/".join(part for part in path.split("/") if part)
    rest = _VERSIONS.sub("", tidy)
    right = next((one for one in (f"/v1{rest}", rest) if one in ENDPOINTS), None)
    if right is None and tidy.startswith(V1) and f"/v1{rest}/".startswith(f"{MODELS}/"):  # /models is another list
        right = f"/v1{rest}"
    return right if right != path else None


def meant(path: str) -> str:
    """The path whose limits and errors count."""
    return path if path in ENDPOINTS else intended(path) or path


def hint(scope: Scope, headers: Mapping[bytes, bytes]) -> str:
    """What to tell a client that asks for a path that does not exist."""
    path = scope["path"]
    right = intended(path)
    if right is None:
        return f"There is no {path}. See /schema for the paths that exist."
    host = headers.get(b"host", b"")
    origin = f"{scope['scheme']}://{host.decode()}" if _HOST.fullmatch(host) else ""
    words = f"There is no {path}. Send this request to {origin}{right}."
    if right.startswith(V1):
        base = origin if is_anthropic_s(right) else f"{origin}/v1"
        words += f" The base URL of your client should be {base or '/'}."
    return words
