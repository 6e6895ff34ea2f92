"""Who asks, and whether they may. `/v1` asks the same keys but answers in OpenAI's own error shape."""

import re
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from services.api.keys import ApiKey, Role
from services.api.mirror import Mirror
from services.api.problems import Problem

_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE)

OPEN: Final = {"access": "open"}
ANY_KEY: Final = {"access": "any key"}
MEMBERS: Final = {"access": "members"}
"""Options of a route handler, `MEMBERS` for keys of an organisation; without one it is for administrators alone."""


class Authorize:
    """A guard for all routes: sets `request.auth` to the key's owner. Raises Problem 401 or 403."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        access = handler.opt.get("access")
        if access == "open":
            return
        owner = authenticated(connection.headers.get("authorization"), self._mirror)
        if owner is None:
            raise Problem(
                401,
                "unauthorized",
                "A valid API key is needed",
                "Send one as 'Authorization: Bearer KEY'; an administrator makes keys with POST /api-keys.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if owner.role is not Role.ADMIN and not _allowed(owner, access):
            detail = "This key lists models and uses /v1; everything else needs an administrator's key."
            if owner.organization_id:
                detail = "This key uses /v1 and what its organisation has; this needs an administrator's key."
            raise Problem(403, "forbidden", "This key may not do that", detail)
        connection.scope["auth"] = owner


def _allowed(user: ApiKey, access: str | None) -> bool:
    return access == "any key" or (access == "members" and user.organization_id is not None)


def authenticated(header: str | None, mirror: Mirror) -> ApiKey | None:
    """The owner of the key in an Authorization header."""
    match = _BEARER.fullmatch(header or "")
    return mirror.keys.owner(match[1]) if match else None
