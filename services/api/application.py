"""The whole HTTP surface: the routes, who may use them, and the form of errors."""

from collections.abc import Awaitable
from typing import Final

from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.plugins.pydantic import PydanticPlugin
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, Receive, Scope, Send

from services.api import probes
from services.api.access.authentication import Authentication
from services.api.catalogue.simulated import badge
from services.api.console import links
from services.api.console.app import console
from services.api.console.assets import Assets
from services.api.console.rendering import engine
from services.api.control import (
    api_keys,
    audit,
    costs,
    critical_path,
    deployment_load,
    deployments,
    event_schemas,
    events,
    install_output,
    instance_types,
    instances,
    machine_images,
    model_fit,
    model_resolution,
    model_search,
    models,
    offerings,
    organizations,
    past_launches,
    reconciliation,
    usage,
    webhooks,
)
from services.api.control.allowed_methods import allowed_methods
from services.api.control.authorization import Authorize
from services.api.control.bodies import BodyRequest
from services.api.control.checks import checked
from services.api.control.dependencies import Services, with_services
from services.api.control.events import AS_IT_IS
from services.api.control.openapi.document import openapi_config
from services.api.control.problems import to_problem
from services.api.http.announcement import announced
from services.api.http.cors import with_cors
from services.api.http.inference_paths import is_inference
from services.api.http.session_cookie import with_one_session_cookie
from services.api.metrics import Measured
from services.api.router.endpoints import ENDPOINTS
from services.api.router.inference import Inference
from services.api.router.near_misses import MODELS, intended
from services.api.settings import ApiSettings

_PARTS = (
    instances,
    install_output,
    events,
    event_schemas,
    past_launches,
    critical_path,
    machine_images,
    deployments,
    deployment_load,
    models,
    model_fit,
    model_search,
    organizations,
    offerings,
    api_keys,
    instance_types,
    costs,
    usage,
    webhooks,
    audit,
    model_resolution,
    reconciliation,
    links,
    probes,
)
_COMPRESSION: Final = 4
"""A third of the time of the best level, for a few per cent more bytes."""


def _engine(assets: Assets, settings: ApiSettings) -> JinjaTemplateEngine:
    return engine(assets, badge(settings.simulated), plain_workers=settings.worker_tls == "off")


def application(
    settings: ApiSettings, *, inference: Inference, authentication: Authentication, services: Services
) -> ASGIApp:
    """`services` are what the routes ask for. Raises LookupError for what they do not find there."""
    assets = Assets.read()
    parts = [*(handler for part in _PARTS for handler in part.ROUTES), *probes.metrics_routes(settings.metrics_access)]
    routes = [with_services(handler, services) for handler in parts]
    control = Litestar(
        route_handlers=[*allowed_methods(routes), *routes, console(assets, services)],
        guards=[Authorize(authentication)],
        exception_handlers={Exception: to_problem},
        before_request=checked,
        request_class=BodyRequest,
        request_max_body_size=settings.max_body_bytes,
        openapi_config=openapi_config(),
        template_config=TemplateConfig(instance=_engine(assets, settings)),
        compression_config=CompressionConfig("gzip", gzip_compress_level=_COMPRESSION, exclude_opt_key=AS_IT_IS),
        plugins=[PydanticPlugin(validate_strict=True)],
        logging_config=None,
    )
    inference_api = with_cors(inference, settings.cors_origins)

    def dispatch(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Not a mount of Litestar's, which would take `/v10` for `/v1`."""
        to = inference_api if is_inference(scope["path"]) or intended(scope["path"]) else control
        return to(with_one_session_cookie(scope), receive, send)

    return announced(Measured(dispatch, frozenset({MODELS, *ENDPOINTS})), settings.simulated)
