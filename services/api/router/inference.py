"""The APIs of OpenAI and Anthropic, as a raw ASGI application: finds the caller and the model."""

import json
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from random import getrandbits
from typing import Final, NamedTuple

import structlog
from litestar.types import Receive, Scope, Send

from services.api.access.api_keys import ApiKey
from services.api.access.authentication import Authentication
from services.api.catalogue.access_records import KnownAccess
from services.api.catalogue.model_list import Details, listed, shown
from services.api.catalogue.resolution import ModelMissing, ModelNotFound, Resolved, allowed, resolve
from services.api.http.front.pushing import pushing_of
from services.api.http.front.recognition import recognise
from services.api.http.inference_paths import is_anthropic_s
from services.api.refusals import Refused
from services.api.router import refusal
from services.api.router.asked import Asked, read
from services.api.router.bodies import Bodies, expect_acceptable
from services.api.router.endpoints import ENDPOINTS
from services.api.router.formats import format_of
from services.api.router.forwarding import BrokenOff
from services.api.router.key_limits import KeyLimiter
from services.api.router.model_details import ModelDetails
from services.api.router.near_misses import MODELS, hint, intended, meant
from services.api.router.refusal import Refusal, send_json
from services.api.router.response import Response
from services.api.router.serving import Incoming, Serving
from services.api.router.turns import Turns
from services.api.tenancy.organizations import Organization
from shared.clock import CLOCK
from shared.lifecycle.wish import Task

_DOES: Final[dict[Task, str]] = {
    "generate": "generates text",
    "embed": "makes embeddings",
}
_SHOWN: Final = 200
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")

log = structlog.get_logger()


class _Head(NamedTuple):
    """`headers` by lower-case name."""

    path: str
    headers: Mapping[bytes, bytes]
    request_id: bytes


class Inference:
    """The server limits the time for a body."""

    def __init__(
        self,
        access: KnownAccess,
        authentication: Authentication,
        serving: Serving,
        *,
        limits: KeyLimiter,
        bodies: Bodies,
        details: ModelDetails,
    ) -> None:
        self._access = access
        self._authentication = authentication
        self._serving = serving
        self._limits = limits
        self._bodies = bodies
        self._details = details
        self._turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id", b"")
        if not (request_id and _REQUEST_ID.fullmatch(request_id)):
            request_id = b"%032x" % getrandbits(128)
        response = Response(send, pushing_of(scope), [(b"x-request-id", request_id)], format_of(meant(scope["path"])))
        try:
            await self._answer(scope, headers, request_id, receive, response)
        except Refused as refused:
            await response.refuse(refusal.of(refused))
        except Refusal as refused:
            await response.refuse(refused)
        except BrokenOff:
            return  # the answer stays incomplete: the server cuts the connection, so the client notices
        except Exception:
            log.exception("inference request failed", path=scope["path"], request_id=request_id.decode())
            message = "An unexpected error occurred. Its details are in the log of the api service."
            await response.refuse(Refusal(500, "internal_error", message))

    async def _answer(
        self, scope: Scope, headers: Mapping[bytes, bytes], request_id: bytes, receive: Receive, response: Response
    ) -> None:
        path, method = scope["path"], str(scope.get("method"))
        owner = await self._authentication.admitted(scope, _header(meant(path), headers))
        recognise(scope)
        organization = self._access.organization_of(owner)
        if path in ENDPOINTS:
            _expect(method, "POST")
            await self._complete(_Head(path, headers, request_id), owner, scope, receive, response)
        elif path == MODELS:
            _expect(method, "GET")
            models = listed(self._access.catalogue, organization, owner, self._details_for(owner))
            await send_json(response, 200, json.dumps({"object": "list", "data": models}).encode())
        elif path.startswith(MODELS + "/") and intended(path) is None:
            _expect(method, "GET")
            name = path.removeprefix(MODELS + "/")
            resolved = self._resolved(name, organization)
            _expect_allowed(resolved, name, owner)
            await send_json(response, 200, json.dumps(shown(name, resolved, self._details_for(owner))).encode())
        else:
            raise Refusal(404, "unknown_url", hint(scope, headers))

    async def _complete(self, head: _Head, owner: ApiKey, scope: Scope, receive: Receive, response: Response) -> None:
        """A key's limits are checked and reserved before its body is read."""
        path, headers = head.path, head.headers
        expect_acceptable(headers, self._bodies.longest)
        with self._limits.admitted(owner) as told, self._bodies.of(owner) as body:
            response.own += told
            began, at = time.perf_counter(), CLOCK.now()
            if not await body.read(headers, receive):
                return
            endpoint = ENDPOINTS[path]
            asked = read(body.content, endpoint)
            if not isinstance(asked, Asked):
                asked = await self._turns.finished(asked)
            found = self._found(owner, asked.model, path)
            sent = asked.sent_on(found.model.model)
            body.content = sent if isinstance(sent, bytes) else await self._turns.finished(sent)
            incoming = Incoming(
                path=path,
                endpoint=endpoint,
                headers=headers,
                request_id=head.request_id,
                owner=owner,
                body=body,
                streams=asked.streams,
                hides_usage=asked.hides_usage,
                found=found,
                began=began,
                at=at,
                confirm=partial(self._confirm, found, headers, asked.model, path),
            )
            del asked, sent  # the body as it came
            await self._serving.serve(incoming, scope, response)

    def _found(self, owner: ApiKey, model: str | None, path: str) -> Resolved:
        """The model that this key may use by this name on this route. Raises Refusal."""
        found = self._resolved(model, self._access.organization_of(owner))
        _check(found, model, path, owner)
        return found

    def _confirm(self, found: Resolved, headers: Mapping[bytes, bytes], model: str | None, path: str) -> None:
        """Check that this still holds after a wait. Raises Refusal."""
        try:
            owner = self._authentication.owner("POST", _header(path, headers))
        except Refused as refused:
            raise refusal.of(refused) from None
        if self._found(owner, model, path).model.id != found.model.id:
            message = f"{model} names another model now. Send the request again."
            raise Refusal(409, "model_changed", message, param="model")

    def _details_for(self, owner: ApiKey) -> Details:
        """By the instances and deployments that this caller's requests may go to."""
        return lambda model: self._details.of(model, owner.organization_id)

    def _resolved(self, named: str | None, organization: Organization | None) -> Resolved:
        match resolve(named, self._access.catalogue, organization):
            case Resolved() as found:
                return found
            case ModelMissing():
                message = "The request names no model. GET /v1/models lists the models that you may use."
                raise Refusal(400, "model_required", message, param="model")
            case ModelNotFound(name=name):
                message = f"There is no model {name[:_SHOWN]!r}. GET /v1/models lists the models that you may use."
                raise Refusal(404, "model_not_found", message, param="model")


def _header(path: str, headers: Mapping[bytes, bytes]) -> Callable[[str], str | None]:
    """Looks up a header. Anthropic's clients send their key as `x-api-key`: it counts if there is no Authorization."""
    key = headers.get(b"x-api-key") if is_anthropic_s(path) else None
    if key is not None and b"authorization" not in headers:
        headers = {**headers, b"authorization": b"Bearer " + key}

    def header(name: str) -> str | None:
        value = headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    return header


def _check(found: Resolved, model: str | None, path: str, owner: ApiKey) -> None:
    """Check that this key may use this model on this route. Raises Refusal."""
    task = found.model.task
    if task not in ENDPOINTS[path].tasks:
        takes = ", ".join(each for each, endpoint in ENDPOINTS.items() if task in endpoint.tasks)
        message = f"{found.model.model} {_DOES[task]}. These paths take it: {takes}."
        raise Refusal(400, "model_task_mismatch", message, param="model")
    _expect_allowed(found, model or "", owner)


def _expect_allowed(found: Resolved, name: str, owner: ApiKey) -> None:
    if not allowed(owner, name, found.model):
        may = ", ".join(owner.allowed_models or ())
        raise Refusal(403, "model_not_allowed", f"This key may not use {name}. It may use {may}.", param="model")


def _expect(method: str, allowed: str) -> None:
    if method != allowed:
        raise Refusal(405, "method_not_allowed", f"This path takes only {allowed}.", headers={"Allow": allowed})
