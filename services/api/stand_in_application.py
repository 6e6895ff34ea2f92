"""What the API answers by kept keys and routes, while its start waits for NATS or PostgreSQL."""

import json
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.api.access.api_keys import Role
from services.api.access.authentication import Authentication
from services.api.access.errors import Forbidden
from services.api.control import problems
from services.api.http.announcement import announced
from services.api.http.cors import with_cors
from services.api.http.inference_paths import is_inference
from services.api.http.problem import PROBLEM_JSON
from services.api.http.session_cookie import with_one_session_cookie
from services.api.metrics import Measured
from services.api.refusals import Kind, Refused
from services.api.router.build import Router
from services.api.router.endpoints import ENDPOINTS
from services.api.router.near_misses import MODELS, intended
from services.api.router.refusal import send_json
from services.api.router.routes import Routes
from services.api.settings import ApiSettings


class StoresAway(Refused, kind=Kind.UNAVAILABLE, code="stores_away", title="NATS or PostgreSQL is away"):
    """The start waits for them; only inference is served meanwhile."""


def stand_in_application(
    settings: ApiSettings, authentication: Authentication, router: Router, routes: Routes
) -> ASGIApp:
    """`/v1` by the kept routes, the probes for operators, and 503 for the rest."""
    inference = with_cors(router.inference, settings.cors_origins)

    async def control(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an application has three
        try:
            await _answer(scope, send)
        except Refused as refused:
            problem = problems.of(refused)
            body = json.dumps(problem.document()).encode()
            await send_json(send, problem.status, body, {**problem.headers, "content-type": PROBLEM_JSON})

    async def _answer(scope: Scope, send: Send) -> None:
        path = scope["path"]
        if path == "/healthz":
            await send_json(send, 200, json.dumps({"status": "ok"}).encode())
        elif path == "/readyz" and not routes.is_stale():
            await send_json(send, 200, json.dumps(_readiness(routes.age)).encode())
        elif path == "/metrics" and settings.metrics_access != "off":
            if settings.metrics_access == "admin":
                await _expect_admin(authentication, scope)
            router.gauges.look()
            await send_json(send, 200, generate_latest(), {"content-type": CONTENT_TYPE_LATEST})
        else:
            raise StoresAway(f"Until they are there, only inference is served. {served_by_kept_routes(routes.age)}")

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        to = inference if is_inference(scope["path"]) or intended(scope["path"]) else control
        await to(with_one_session_cookie(scope), receive, send)

    return announced(Measured(dispatch, frozenset({MODELS, *ENDPOINTS})), settings.simulated)


async def _expect_admin(authentication: Authentication, scope: Scope) -> None:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if (await authentication.admitted(scope, headers.get)).role is not Role.ADMIN:
        raise Forbidden("Only an administrator may do that.")


def served_by_kept_routes(age_s: float) -> str:
    """A warning, for people."""
    return f"Nothing is heard from NATS or PostgreSQL: inference goes on by the keys and routes of {age_s:.0f} s ago."


def _readiness(age_s: float) -> dict[str, Any]:
    """As `services.api.probes` says it."""
    return {
        "status": "degraded",
        "routing_table_age_seconds": round(age_s, 3),
        "warnings": [served_by_kept_routes(age_s)],
        **dict.fromkeys(("troubles", "providers", "stores"), ()),
    }
