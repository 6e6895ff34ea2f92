"""The console's routes: pages, their files, and error pages."""

from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect, Template

from services.api.console import (
    audit,
    deployments,
    event_reference,
    events,
    fleet,
    instance,
    keys,
    launch,
    machine_images,
    organizations,
    playground,
    sign_in,
    usage,
    webhooks,
)
from services.api.console.assets import Assets
from services.api.console.origin import from_another_site
from services.api.console.rendering import HEADERS, bare
from services.api.control.authorization import OPEN
from services.api.control.dependencies import Services, with_services
from services.api.control.events import AS_IT_IS
from services.api.control.problems import problem_of

PAGES: Final = (
    sign_in,
    deployments,
    fleet,
    launch,
    instance,
    playground,
    events,
    organizations,
    keys,
    machine_images,
    webhooks,
    usage,
    audit,
    event_reference,
)
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_UNAUTHORIZED: Final = 401


def console(assets: Assets, services: Services) -> Router:
    routes = [_static(assets), *(with_services(route, services) for part in PAGES for route in part.ROUTES)]
    return Router(
        "/",
        route_handlers=routes,
        exception_handlers={Exception: _said_on_a_page},
        before_request=_any_body,
        include_in_schema=False,
    )


def _static(assets: Assets) -> HTTPRouteHandler:
    @get("/console/static/{digest:str}/{name:str}", opt={**OPEN, AS_IT_IS: True})
    async def static(request: Request[Any, Any, Any], digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        """For another release's digest it serves the present file: a page and its api may be replaced one by one."""
        asset = assets.get(name)
        if asset is None:
            return Response(b"", status_code=404, headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": _FOR_GOOD if digest == assets.digest else "no-cache"}
        content = asset.content
        if asset.compressed:
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                content, headers["Content-Encoding"] = asset.compressed, "gzip"
        return Response(content, media_type=asset.content_type, headers=headers)

    return static


def _any_body(request: Request[Any, Any, Any]) -> None:
    """Forms are not JSON."""


def _said_on_a_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any] | Template:
    problem = problem_of(request, error)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if problem.status != _UNAUTHORIZED:
        return bare("problem", status=problem.status, problem=problem)
    if from_another_site(request):
        return bare("onward", target=here)
    return Redirect(f"/sign-in?next={quote(here, safe='/')}", status_code=303, headers=HEADERS)
