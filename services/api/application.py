"""The whole HTTP surface: which routes there are, who may use them, how errors look."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.config.compression import CompressionConfig
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.plugins.pydantic import PydanticPlugin
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from services.api import probes
from services.api.access.authentication import Authentication
from services.api.catalogue.simulated import Part, badge
from services.api.console import links
from services.api.console.app import console
from services.api.console.assets import Assets
from services.api.console.rendering import engine
from services.api.control import (
    api_keys,
    costs,
    events,
    install_output,
    instance_types,
    instances,
    model_resolution,
    model_search,
    models,
    offerings,
    organizations,
    past_launches,
    reconciliation,
    usage,
)
from services.api.control.authorization import OPEN, Authorize
from services.api.control.bodies import BodyRequest
from services.api.control.events import AS_IT_IS
from services.api.control.openapi.document import complete, openapi_config
from services.api.control.problems import malformed_json, to_problem, unsupported_media_type
from services.api.http.announcement import announced
from services.api.http.session_cookie import with_one_session_cookie
from services.api.metrics import Measured
from services.api.refusals import FieldError, invalid
from services.api.router.inference import ENDPOINTS, Inference

_PARTS = (
    instances,
    install_output,
    events,
    past_launches,
    models,
    model_search,
    organizations,
    offerings,
    api_keys,
    instance_types,
    costs,
    usage,
    model_resolution,
    reconciliation,
    links,
    probes,
)
_COMPRESSION: Final = 4
"""A third of the time of the best, for a few per cent more."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def application(
    *,
    inference: Inference,
    authentication: Authentication,
    dependencies: Mapping[str, Any],
    max_body_bytes: int,
    metrics_access: str,
    simulated: Sequence[Part] = (),
) -> ASGIApp:
    """`dependencies` are what the routes ask for, by name.

    None may be named like a field of a body: what is wrong with that field would pass for a fault of ours.
    """
    assets = Assets.read()
    routes = [*(handler for part in _PARTS for handler in part.ROUTES), *probes.metrics_routes(metrics_access)]
    control = Litestar(
        route_handlers=[*_told_methods(routes), *routes, console(assets)],
        guards=[Authorize(authentication)],
        dependencies={name: Provide(_giving(value), sync_to_thread=False) for name, value in dependencies.items()},
        exception_handlers={Exception: to_problem},
        before_request=_checked,
        request_class=BodyRequest,
        request_max_body_size=max_body_bytes,
        openapi_config=openapi_config(),
        template_config=TemplateConfig(instance=engine(assets, badge(simulated))),
        compression_config=CompressionConfig("gzip", gzip_compress_level=_COMPRESSION, exclude_opt_key=AS_IT_IS),
        plugins=[PydanticPlugin(validate_strict=True)],
        logging_config=None,
    )
    complete(control)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        """Not a mount of Litestar's: to that, `/v10` would be `/v1` too."""
        to = inference if scope["path"].startswith("/v1/") else control
        await to(with_one_session_cookie(scope), receive, send)

    return announced(Measured(dispatch, frozenset({"/v1/models", *ENDPOINTS})), simulated)


def _told_methods(routes: Iterable[HTTPRouteHandler]) -> Iterator[HTTPRouteHandler]:
    """Which methods an address takes. They come first: Litestar's own answer knows those of one handler only."""
    taken: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    for handler in routes:
        for path in handler.paths:
            taken[path] |= handler.http_methods
    return (_telling(path, ", ".join(sorted(methods))) for path, methods in taken.items())


def _telling(path: str, methods: str) -> HTTPRouteHandler:
    @route(path, http_method=[HttpMethod.OPTIONS], opt=OPEN, status_code=204, include_in_schema=False)
    async def told() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": methods})

    return told


def _giving(value: Any) -> Callable[[], Any]:
    def give() -> Any:
        return value

    return give


def _checked(request: Request[Any, Any, Any]) -> None:
    """What no route has to look at by itself. Raises Problem."""
    _no_null(request)
    _only_json(request)


def _no_null(request: Request[Any, Any, Any]) -> None:
    """PostgreSQL's text cannot hold a null character, and nothing that can be asked for has one in its name."""
    for name, value in request.query_params.multi_items():
        if "\0" in name or "\0" in value:
            raise invalid(FieldError(pointer=name, detail="nothing here has a null character."))


def _only_json(request: Request[Any, Any, Any]) -> None:
    """Litestar would read any body as JSON, whatever its sender says that it is."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if "data" in request.route_handler.parsed_fn_signature.parameters and not has_body:
        raise malformed_json("The body is empty")
    if request.method in _WITH_BODY and has_body and kind != "application/json":
        raise unsupported_media_type(kind, "JSON, as 'Content-Type: application/json'")
