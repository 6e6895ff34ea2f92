"""A request for each operation of the API that changes something, and the entry that it leaves."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final
from uuid import UUID

import httpx

from services.api.audit.entries import EntryType as Entry
from shared.lifecycle.events import Event
from tests.api.deployed import put
from tests.api.stage import BODY, EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

CHANGING_NOTHING: Final = frozenset({
    "POST /models/fit", "POST /tokenize", "POST /detokenize", "POST /v1/chat/completions", "POST /v1/completions",
    "POST /v1/embeddings", "POST /v1/messages", "POST /v1/messages/count_tokens", "POST /v1/rerank",
    "POST /v1/responses", "POST /v1/score",
})  # fmt: skip
"""They answer a question; requests to models are counted as usage."""


@dataclass
class Scene:
    """An api with what there is to change. `client` is the administrator's, and prepares; somebody else asks."""

    stage: Stage
    api: RunningApi
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def client(self) -> httpx.AsyncClient:
        return self.api.client

    def name(self) -> str:
        return f"one-{next(self.numbers)}"

    async def made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    async def instance(self, *history: Event) -> UUID:
        instance = await self.stage.happened(*(history or h.a_ready_instance()))
        await self.api.projected(instance)
        return instance.id

    async def key(self) -> str:
        return str((await self.made("/api-keys", {"name": self.name()}))["id"])

    async def slug(self) -> str:
        return str((await self.api.organization(self.name()))["slug"])

    async def offering(self) -> str:
        slug = await self.slug()
        await self.api.offering(slug, "chat", MODEL)
        return f"/organizations/{slug}/offerings/chat"

    async def webhook(self) -> str:
        return f"/webhooks/{(await self.made('/webhooks', {'url': 'https://example.com/a-secret'}))['id']}"

    async def deployment(self, *verbs: str) -> str:
        name = self.name()
        await put(self.api, name, {"model": MODEL, "instance_types": BODY["instance_types"]})
        for verb in verbs:
            assert (await self.client.post(f"/deployments/{name}/{verb}")).is_success
        return f"/deployments/{name}"

    async def changed_deployment(self) -> str:
        at = await self.deployment()
        body = {"model": EMBEDDING_MODEL, "instance_types": BODY["instance_types"]}
        assert (await self.client.put(at, json=body)).is_success
        return at


@dataclass(frozen=True)
class Change:
    """`at`: makes what the request is about, and says where it goes."""

    type: Entry
    at: Callable[[Scene], Awaitable[str]]
    body: dict[str, Any] | None = None


def _to(path: str) -> Callable[[Scene], Awaitable[str]]:
    async def at(_: Scene) -> str:
        return path

    return at


def _below(made: Callable[[Scene], Awaitable[Any]], before: str, after: str = "") -> Callable[[Scene], Awaitable[str]]:
    async def at(scene: Scene) -> str:
        return f"{before}{await made(scene)}{after}"

    return at


async def _failed(scene: Scene) -> UUID:
    return await scene.instance(*h.a_failed_launch())


async def _ended(scene: Scene) -> UUID:
    return await scene.instance(*h.a_terminating_instance(), f.instance_terminated())


async def _image(scene: Scene) -> str:
    await scene.instance(*h.a_stored_image())
    return f.IMAGE


async def _model(scene: Scene) -> str:
    return str((await scene.made("/models", {"model": "openai-community/gpt2"}))["id"])


async def _new_slug(scene: Scene) -> str:
    return f"/deployments/{scene.name()}"


_DEPLOYMENT: Final = {"model": MODEL, "instance_types": BODY["instance_types"]}
CHANGES: Final[Mapping[str, Change]] = {
    "POST /instances": Change(Entry.INSTANCE_REQUESTED, _to("/instances"), BODY),
    "DELETE /instances/{instance_id}": Change(Entry.TERMINATION_REQUESTED, _below(Scene.instance, "/instances/")),
    "POST /instances/{instance_id}/drain": Change(
        Entry.DRAIN_REQUESTED, _below(Scene.instance, "/instances/", "/drain")
    ),
    "POST /instances/{instance_id}/reinstall": Change(
        Entry.REINSTALL_REQUESTED, _below(Scene.instance, "/instances/", "/reinstall")
    ),
    "POST /instances/{instance_id}/relaunch": Change(
        Entry.INSTANCE_REQUESTED, _below(_failed, "/instances/", "/relaunch")
    ),
    "POST /instances/{instance_id}/archive": Change(Entry.INSTANCE_ARCHIVED, _below(_ended, "/instances/", "/archive")),
    "POST /machine-images": Change(
        Entry.INSTANCE_REQUESTED, _to("/machine-images"), {"instance_type": BODY["instance_types"][0]}
    ),
    "DELETE /machine-images/{image_id}": Change(Entry.MACHINE_IMAGE_RETIRED, _below(_image, "/machine-images/")),
    "PUT /deployments/{name}": Change(Entry.DEPLOYMENT_CREATED, _new_slug, _DEPLOYMENT),
    "DELETE /deployments/{name}": Change(Entry.DEPLOYMENT_DELETED, Scene.deployment),
    "POST /deployments/{name}/scale": Change(
        Entry.DEPLOYMENT_CHANGED, _below(Scene.deployment, "", "/scale"), {"max_replicas": 7}
    ),
    "POST /deployments/{name}/pause": Change(Entry.DEPLOYMENT_PAUSED, _below(Scene.deployment, "", "/pause")),
    "POST /deployments/{name}/resume": Change(
        Entry.DEPLOYMENT_RESUMED, _below(lambda scene: scene.deployment("pause"), "", "/resume")
    ),
    "POST /deployments/{name}/restart": Change(Entry.DEPLOYMENT_CHANGED, _below(Scene.deployment, "", "/restart")),
    "POST /deployments/{name}/rollback": Change(
        Entry.DEPLOYMENT_CHANGED, _below(Scene.changed_deployment, "", "/rollback")
    ),
    "POST /models": Change(
        Entry.MODEL_ADDED, _to("/models"), {"model": "Qwen/Qwen2.5-7B-Instruct", "trust_remote_code": True}
    ),
    "DELETE /models/{model_id}": Change(Entry.MODEL_REMOVED, _below(_model, "/models/")),
    "POST /organizations": Change(
        Entry.ORGANIZATION_CREATED, _to("/organizations"), {"slug": "made", "insist": True, "max_instances": 3}
    ),
    "PATCH /organizations/{slug}": Change(
        Entry.ORGANIZATION_CHANGED, _below(Scene.slug, "/organizations/"), {"max_instances": 2}
    ),
    "DELETE /organizations/{slug}": Change(Entry.ORGANIZATION_DELETED, _below(Scene.slug, "/organizations/")),
    "POST /organizations/{slug}/offerings": Change(
        Entry.OFFERING_CREATED,
        _below(Scene.slug, "/organizations/", "/offerings"),
        {"code": "chat", "model": MODEL},
    ),
    "PATCH /organizations/{slug}/offerings/{code}": Change(Entry.OFFERING_CHANGED, Scene.offering, {"active": False}),
    "DELETE /organizations/{slug}/offerings/{code}": Change(Entry.OFFERING_DELETED, Scene.offering),
    "POST /api-keys": Change(Entry.API_KEY_CREATED, _to("/api-keys"), {"name": "made", "requests_per_minute": 5}),
    "PATCH /api-keys/{key_id}": Change(
        Entry.API_KEY_CHANGED, _below(Scene.key, "/api-keys/"), {"tokens_per_minute": 9}
    ),
    "DELETE /api-keys/{key_id}": Change(Entry.API_KEY_REVOKED, _below(Scene.key, "/api-keys/")),
    "POST /webhooks": Change(Entry.WEBHOOK_CREATED, _to("/webhooks"), {"url": "https://example.com/a-secret"}),
    "PATCH /webhooks/{webhook_id}": Change(Entry.WEBHOOK_CHANGED, Scene.webhook, {"enabled": False}),
    "DELETE /webhooks/{webhook_id}": Change(Entry.WEBHOOK_DELETED, Scene.webhook),
    "POST /webhooks/{webhook_id}/rotate-secret": Change(
        Entry.WEBHOOK_SECRET_ROTATED, _below(Scene.webhook, "", "/rotate-secret")
    ),
    "POST /webhooks/{webhook_id}/test": Change(Entry.WEBHOOK_TESTED, _below(Scene.webhook, "", "/test")),
    "POST /webhooks/{webhook_id}/replay": Change(
        Entry.WEBHOOK_REPLAYED, _below(Scene.webhook, "", "/replay"), {"from_sequence": 1}
    ),
    "POST /reconcile": Change(Entry.RECONCILIATION_REQUESTED, _to("/reconcile"), {"delete_unknown": True}),
    "POST /sign-in-links": Change(Entry.SIGN_IN_LINK_CREATED, _to("/sign-in-links")),
}
