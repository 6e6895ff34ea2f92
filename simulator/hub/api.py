"""The hub's HTTP API with its error headers, as `huggingface_hub.utils._http` reads them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from math import ceil

from aiohttp import web
from pydantic import SecretStr

from simulator.hub.files import repository
from simulator.hub.listing import Listing, Refused
from simulator.hub.models import LEGACY, MODELS, REVISIONS, USERS, Model
from simulator.scenario import HubError, Scenario

Handler = Callable[[web.Request], Awaitable[web.Response]]
PREFIX = "/hub"


class Hub:
    """Anonymous callers see public and gated models; the one token sees the private ones too.

    `scenario` is asked at every call whether the hub fails now.
    """

    def __init__(self, token: SecretStr, scenario: Callable[[], Scenario] = Scenario) -> None:
        self._token = token
        self._scenario = scenario

    def routes(self) -> list[web.RouteDef]:
        routes = [web.get(f"{PREFIX}/api/models", self._may_fail(self.list_models))]
        for kind, known in (("organizations", {model.owner for model in MODELS.values()}), ("users", USERS)):
            routes.append(web.get(f"{PREFIX}/api/{kind}/{{name}}/overview", self._may_fail(self._overview(known))))
        for name in ("{namespace}/{name}", "{name}"):
            model = f"{PREFIX}/api/models/{name}"
            routes += [
                web.get(model, self._may_fail(self.model_info)),
                web.get(model + "/revision/{revision}", self._may_fail(self.model_info)),
                web.get(model + "/auth-check", self._may_fail(self.auth_check)),
                web.get(model + "/tree/{revision}", self._may_fail(self.tree)),
                web.get(f"{PREFIX}/{name}/resolve/{{revision}}/{{path}}", self._may_fail(self.file)),
            ]
        # aiohttp takes the first that matches: the longer paths have to come before "namespace/name".
        return sorted(routes, key=lambda route: (-route.path.count("/"), route.path.count("{")))

    async def list_models(self, request: web.Request) -> web.Response:
        """Includes the private models that the token may see, as on the real hub."""
        known = self._knows(request)
        try:
            listed = [model for model in MODELS.values() if known or not model.private]
            items, cursor = Listing.of(request.query).page(listed)
        except Refused as refused:
            raise _refusal(web.HTTPBadRequest, str(refused)) from None
        following = request.url.update_query(cursor=cursor) if cursor else None
        return web.json_response(items, headers={"Link": f'<{following}>; rel="next"'} if following else {})

    async def model_info(self, request: web.Request) -> web.Response:
        """Public for gated models, too, as on the real hub: only their files need a licence."""
        model = self._visible(request)
        _check_revision(model, request)
        properties = model.properties()
        if request.query.get("blobs"):
            properties["siblings"] = [file.of_info() for file in repository(model).values()]
        wanted = request.query.getall("expand", [])
        if unknown := [name for name in wanted if name not in properties]:
            raise _refusal(web.HTTPBadRequest, f"the simulated hub does not expand {', '.join(unknown)}")
        shown = {name: properties[name] for name in wanted or properties if properties[name] is not None}
        return web.json_response({"_id": model.sha[:24], "id": model.id, **shown})

    async def tree(self, request: web.Request) -> web.Response:
        """All files, on one page. As on the real hub, a gated model's are listed for everybody."""
        model = self._visible(request)
        _check_revision(model, request)
        return web.json_response([file.of_tree() for file in repository(model).values()])

    async def file(self, request: web.Request) -> web.Response:
        """A small file. Only the simulated machines' curl has large ones."""
        model = self._visible(request)
        _check_revision(model, request)
        self._check_licence(model, request)
        found = repository(model).get(request.match_info["path"])
        if found is None or found.content is None:
            raise _refusal(web.HTTPNotFound, "Entry not found", code="EntryNotFound")
        return web.Response(body=found.content, headers={"ETag": f'"{found.blob}"', "X-Repo-Commit": model.sha})

    async def auth_check(self, request: web.Request) -> web.Response:
        self._check_licence(self._visible(request), request)
        return web.json_response({})

    def _check_licence(self, model: Model, request: web.Request) -> None:
        if model.gated and not self._knows(request):
            message = f"Access to model {model.id} is restricted. You must have access to it and be authenticated."
            raise _refusal(web.HTTPUnauthorized, message, code="GatedRepo")

    def _overview(self, known: Collection[str]) -> Handler:
        """The overview of one of these owners, in any case; organisations and users share no name."""

        async def overview(request: web.Request) -> web.Response:
            self._knows(request)
            asked = request.match_info["name"]
            name = next((each for each in known if each.lower() == asked.lower()), None)
            if name is None:
                raise _refusal(web.HTTPNotFound, f"{asked} does not exist")
            owner = {"type": "user", "user": name} if name in USERS else {"type": "org", "name": name}
            return web.json_response({**owner, "fullname": name, "avatarUrl": f"/avatars/{name}.svg"})

        return overview

    def _may_fail(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            scenario = self._scenario()
            match scenario.hub_error:
                case HubError.TOO_MANY_REQUESTS:
                    limit = {"RateLimit": f'"api";r=0;t={ceil(scenario.retry_after or 1)}'}
                    raise _refusal(web.HTTPTooManyRequests, "We had to rate limit your IP", headers=limit)
                case HubError.INTERNAL:
                    raise _refusal(web.HTTPInternalServerError, "Internal Error - We're working hard to fix this")
                case HubError.TIMEOUT:
                    await asyncio.sleep(scenario.hang)
                    if request.transport is not None:
                        request.transport.abort()
                    return web.Response(status=503)
                case None:
                    return await handler(request)

        return handle

    def _visible(self, request: web.Request) -> Model:
        """Missing and private look the same: 401 to an anonymous caller, 404 to a known one."""
        name = "/".join(filter(None, (request.match_info.get("namespace"), request.match_info["name"])))
        known = self._knows(request)
        model = MODELS.get(LEGACY.get(name, name))
        if model is None or (model.private and not known):
            kind = web.HTTPNotFound if known else web.HTTPUnauthorized
            raise _refusal(kind, "Repository not found", code="RepoNotFound")
        return model

    def _knows(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization")
        if given is None:
            return False
        if given != f"Bearer {self._token.get_secret_value()}":
            raise _refusal(web.HTTPUnauthorized, "Invalid credentials in Authorization header")
        return True


def _check_revision(model: Model, request: web.Request) -> None:
    revision = request.match_info.get("revision", "main")
    if revision not in (*REVISIONS, model.sha):
        raise _refusal(web.HTTPNotFound, f"Invalid rev id: {revision}", code="RevisionNotFound")


def _refusal(
    kind: type[web.HTTPException], message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> web.HTTPException:
    answered = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
    return kind(text=json.dumps({"error": message}), content_type="application/json", headers=answered)
