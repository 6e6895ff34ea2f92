"""Renders pages from templates, with protective headers."""

import re
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from markupsafe import Markup, escape

from services.api.access.api_keys import ApiKey, Role
from services.api.access.authentication import Authentication
from services.api.access.sessions import Sessions
from services.api.console.assets import Assets

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No page is cached, and none runs, loads or sends anything that is not ours."""

_CODE: Final = re.compile(r"`([^`]+)`")


def engine(
    assets: Assets, simulated: tuple[str, str] | None = None, *, plain_workers: bool = False
) -> JinjaTemplateEngine:
    """Escapes everything, and fails on undefined names.

    `simulated`: the text and the meaning of the badge on every page. `plain_workers`: every page of a signed-in person
    says that workers are talked to in plain HTTP.
    """
    environment = Environment(
        loader=PackageLoader("services.api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_code"] = in_code
    environment.globals["asset"] = assets.address
    environment.globals["simulated"] = simulated
    environment.globals["plain_workers"] = plain_workers
    return JinjaTemplateEngine(engine_instance=environment)


def in_code(text: str) -> Markup:
    """Prose in which `words between backticks` are code, escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - all of the text is escaped


class Pages:
    """What every page of a signed-in person needs."""

    def __init__(self, authentication: Authentication, sessions: Sessions) -> None:
        self._authentication = authentication
        self._sessions = sessions

    def page(self, request: Request[Any, ApiKey, Any], name: str, *, status: int = 200, **context: Any) -> Template:
        """`name` is the template's, without its suffix."""
        session = self._authentication.session(request.headers.get("cookie"))
        return bare(
            name,
            status=status,
            owner=request.auth,
            administers=request.auth.role is Role.ADMIN,
            sees_instances=request.auth.role is Role.ADMIN or request.auth.organization_id is not None,
            path=request.url.path,
            csrf=self._sessions.csrf_token(session) if session else "",
            **context,
        )


def bare(name: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: Any) -> Template:
    """A page for anybody, signed in or not."""
    return Template(f"{name}.html", context=context, status_code=status, headers={**HEADERS, **(headers or {})})
