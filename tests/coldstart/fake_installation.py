"""What an api has, in memory: it answers as the real one, as far as files can declare it."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid5

import httpx

from coldstart.api_client import Api
from tests.coldstart.deployed import ASKED, a_deployment
from tests.coldstart.fake_api import Answer, Asked, values

Row = dict[str, Any]
_SPACE: Final = UUID(int=0)
LIMITS: Final = {"max_instances": None, "spend_per_hour": None, "spend_per_month": None, "at_limit": "warn"}
KEY_LIMITS: Final = dict.fromkeys(("requests_per_minute", "tokens_per_minute", "max_concurrent", "allowed_models"))
OFFERED: Final = [
    {"name": "L4-1-24G", "hourly_price": 0.75, "zones": ["fr-par-2"]},
    {"name": "H100-1-80G", "hourly_price": 2.5, "zones": ["fr-par-2", "pl-waw-2"]},
]


class FakeInstallation:
    """`writes`: every request that changes something, as method, path and body. `refuse`: answers instead, if any."""

    def __init__(self) -> None:
        self.models: dict[str, Row] = {}
        self.organizations: dict[str, Row] = {}
        self.offerings: dict[tuple[str, str], Row] = {}
        self.keys: list[Row] = []
        self.deployments: dict[tuple[str | None, str], Row] = {}
        self.instances: list[Row] = []
        self.writes: list[tuple[str, str, Any]] = []
        self.refuse: Callable[[str, str], Answer | None] = lambda _method, _path: None

    def has_key(self, name: str, organization: str | None = None, **limits: Any) -> None:
        owner = self.organizations[organization]["id"] if organization else None
        its_id = _id("key", name, organization or "", str(len(self.keys)))
        self.keys.append({"id": its_id, "name": name, "role": "user", "organization_id": owner, **KEY_LIMITS, **limits})

    def answer(self, asked: Asked) -> Answer:
        split = urlsplit(asked.path)
        path, query = split.path, dict(parse_qsl(split.query))
        if (refusal := self.refuse(asked.method, path)) is not None:
            return refusal
        if asked.method != "GET" and path != "/models/fit":
            self.writes.append((asked.method, asked.path, asked.body))
        return self._answer(asked.method, path.strip("/").split("/"), query, asked.body)

    def _answer(  # noqa: C901, PLR0911, PLR0912 - one case for each address
        self, method: str, where: list[str], query: Mapping[str, str], body: Any
    ) -> Answer:
        match method, where:
            case "GET", ["models"]:
                return _page(self.models.values())
            case "GET", ["organizations"]:
                return _page(self.organizations.values())
            case "GET", ["organizations", slug, "offerings"]:
                return _page(row for (owner, _), row in self.offerings.items() if owner == slug)
            case "GET", ["api-keys"]:
                return _page(self.keys)
            case "GET", ["deployments"]:
                return _page(self.deployments.values())
            case "GET", ["instances"]:
                return _page(self.instances)
            case "GET", ["instance-types"]:
                kind = {"provider": "scaleway", "gpus": 1, "unusable": None, "currency": "EUR"}
                return _page(kind | offered for offered in OFFERED)
            case "GET", ["deployments", name]:
                row = self.deployments.get((query.get("organization"), name))
                return values(row) if row else _refused(404, "There is no such deployment")
            case "POST", ["models", "fit"]:
                items = ({"provider": "scaleway", "instance_type": one["name"], "fits": "yes"} for one in OFFERED)
                return values({"items": list(items)})
            case "POST", ["models"]:
                return self._add_model(body)
            case "POST", ["organizations"]:
                return self._add_organization(body)
            case "PATCH", ["organizations", slug]:
                self.organizations[slug].update(body)
                return values(self.organizations[slug])
            case "POST", ["organizations", slug, "offerings"]:
                row = {"id": _id("offering", slug, body["code"]), **self._offered(slug, body)}
                self.offerings[slug, body["code"]] = row
                return values(row, 201)
            case "PATCH", ["organizations", slug, "offerings", code]:
                self.offerings[slug, code].update(self._offered(slug, body))
                return values(self.offerings[slug, code])
            case "PATCH", ["api-keys", its_id]:
                key = next(one for one in self.keys if one["id"] == its_id)
                key.update(body)
                return values(key)
            case "PUT", ["deployments", name]:
                return self._put_deployment(name, body)
            case "DELETE", _:
                return self._delete(where, query)
        return _refused(404, "There is nothing at this address")

    def _offered(self, slug: str, body: Row) -> Row:
        """Of a deployment, it has that deployment's model."""
        for owner in (slug, None):
            if (deployment := self.deployments.get((owner, body["model"]))) is not None:
                return {**body, "model": deployment["model"], "deployment": deployment["name"]}
        return {**body, "deployment": None}

    def _add_model(self, body: Row) -> Answer:
        found = {"id": _id("model", body["model"]), "model": body["model"], "task": body.get("task", "generate")}
        row = self.models.setdefault(body["model"], {**found, "gated": False, "trust_remote_code": False})
        if body.get("trust_remote_code") is not None:
            row["trust_remote_code"] = body["trust_remote_code"]
        return values(row)

    def _add_organization(self, body: Row) -> Answer:
        slug = body["slug"]
        row = {"id": _id("organization", slug), "name": slug, **LIMITS, **body}
        del row["insist"]
        self.organizations[slug] = row
        return values(row, 201)

    def _put_deployment(self, name: str, body: Row) -> Answer:
        owner, its_id = body.get("organization"), _id("deployment", body.get("organization") or "", name)
        of_whom = self.organizations[owner]["id"] if owner else None
        rollout = {**ASKED["rollout"], **body.get("rollout", {})}
        row = a_deployment(name, asked={**body, "rollout": rollout}, id=its_id, organization_id=of_whom)
        self.deployments[owner, name] = row
        return values(row)

    def _delete(self, where: list[str], query: Mapping[str, str]) -> Answer:
        match where:
            case ["deployments", name]:
                del self.deployments[query.get("organization"), name]
            case ["organizations", slug, "offerings", code]:
                del self.offerings[slug, code]
            case ["organizations", slug]:
                gone = self.organizations.pop(slug)
                self.offerings = {key: row for key, row in self.offerings.items() if key[0] != slug}
                self.keys = [key for key in self.keys if key["organization_id"] != gone["id"]]
            case ["models", its_id]:
                self.models = {model: row for model, row in self.models.items() if row["id"] != its_id}
        return Answer(b"", 204)


class InMemoryApi(Api):
    """The client, without HTTP."""

    def __init__(self, installation: FakeInstallation) -> None:
        def answered(request: httpx.Request) -> httpx.Response:
            body = json.loads(request.content) if request.content else None
            answer = installation.answer(Asked(request.method, request.url.raw_path.decode(), {}, body))
            return httpx.Response(answer.status, content=answer.body)

        super().__init__("http://in.memory", "a-key", transport=httpx.MockTransport(answered))


def _page(rows: Any) -> Answer:
    return values({"items": list(rows), "next_cursor": None})


def _refused(status: int, title: str) -> Answer:
    return values({"title": title, "detail": "See the list."}, status)


def _id(*names: str) -> str:
    return str(uuid5(_SPACE, "/".join(names)))
