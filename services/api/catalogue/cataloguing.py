"""Adds models to the catalogue: on request, or when a launch is admitted; never on the inference path."""

import asyncio
from typing import Final, TypeAlias

import structlog
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported lazily

from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.catalogue import Model
from services.api.catalogue.errors import ModelIdMalformed
from services.api.catalogue.hub.client import Found, HubUnreachable, Lookups, Reply
from services.api.catalogue.hub.refusals import about_model, admitted, as_said
from services.api.catalogue.repository import ModelRepository
from services.api.catalogue.resolution import Resolved, resolve
from services.api.catalogue.simulated import Simulated
from services.api.refusals import Refused
from services.api.tenancy.organizations import Organization
from shared.actor import Actor
from shared.lifecycle.wish import Task
from shared.postgres.connection import DOWN

_PATIENCE_S: Final = 2.0
"""How long to wait for sizes that are not needed to serve a model; a later answer is cached for the next request."""
Meant: TypeAlias = Model | Found
"""A resolved name: a model of the catalogue, or one of the hub that may enter it."""

log = structlog.get_logger()


class Cataloguing:
    def __init__(self, access: AccessCache, models: ModelRepository, hub: Lookups, simulated: Simulated) -> None:
        self._simulated = simulated
        self._access = access
        self._models = models
        self._hub = hub

    async def meant(
        self, name: str, organization: Organization | None = None, task: Task | None = None, *, insist: bool = False
    ) -> Meant:
        """What the name means to a caller of `organization`; adds nothing to the catalogue. Raises Refused.

        `task`: what somebody wants a model for that is not in the catalogue; `insist`: whatever the hub says of it.
        """
        known = resolve(name, self._access.catalogue, organization)
        if isinstance(known, Resolved):
            return await self._measured(known.model)
        if not _is_hub_id(name):
            detail = f"{name!r} is no id of the Hugging Face hub; write it as there, such as Qwen/Qwen2.5-7B-Instruct."
            raise about_model(ModelIdMalformed, detail)
        try:
            found = admitted(name, as_said(await self._hub.look_up(name), task, insist=insist))
        except Refused as refused:
            raise await self._simulated.by_hub(refused) from None
        if respelled := self._access.catalogue.named(found.model):  # the hub may spell it differently
            return await self._measured(respelled)
        return found

    async def contents(self, model: str, revision: str | None) -> Reply:
        """What its repository holds. A hub that does not answer soon stops no launch."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._hub.contents(model, revision)
        except TimeoutError:
            return HubUnreachable(f"no answer within {_PATIENCE_S} s")

    async def add(self, meant: Meant, trust_remote_code: bool | None = None, *, by: Actor | None = None) -> Model:
        """The model in the catalogue, added if necessary. Without `trust_remote_code`, that stays as it is.

        `by`: who asked for that itself, not for a launch or an offering.
        """
        known = self._access.catalogue.named(meant.model)
        if known and trust_remote_code in (None, known.trust_remote_code):
            return known
        added = await self._models.add(meant, trust_remote_code, by=by)
        await self._access.load()
        self._tell_shadowed(added)
        return added

    def _tell_shadowed(self, model: Model) -> None:
        """Log offerings of that name, which are no longer served."""
        slug, _, code = model.model.partition("/")
        organization = self._access.organizations.called(slug)
        if organization and self._access.catalogue.offering(organization.id, code):
            log.warning("offering shadowed", organization=slug, name=model.model)

    async def _measured(self, known: Model) -> Model:
        """The model with its sizes, if it had none and the hub gives them now. A failure stops no launch."""
        if known.parameters is not None:
            return known
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._hub.look_up(known.model)
        except TimeoutError:
            found = HubUnreachable(f"no answer within {_PATIENCE_S} s")
        if not isinstance(found, Found) or found.parameters is None:
            log.info("model not measured", model=known.model, answer=repr(found))
            return known
        try:
            measured = await self._models.measure(known.model, found.parameters, found.weights_bytes)
            await self._access.load()
        except DOWN as error:
            log.warning("model sizes not stored", model=known.model, reason=repr(error))
            return known
        return measured or known


def _is_hub_id(name: str) -> bool:
    """A namespace and a name. For the few models without a namespace, the hub knows a spelling with one."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name
