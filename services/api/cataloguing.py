"""A model enters the catalogue when it is first asked for: looked up on the hub, never on the inference path."""

import asyncio
from dataclasses import replace
from typing import Final, assert_never

import structlog
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported lazily

from services.api import hub
from services.api.catalogue import Model
from services.api.database import DOWN, Database
from services.api.mirror import Mirror
from services.api.organizations import Organization
from services.api.problems import FieldError, Problem, unavailable
from services.api.resolution import Resolved, resolve

_AT: Final = "/model"
_PATIENCE_S: Final = 2.0
"""For the figures of a model that can be served without them; the answer that comes later is kept for the next one."""

log = structlog.get_logger()


class Cataloguing:
    def __init__(self, mirror: Mirror, database: Database, models: hub.Lookups) -> None:
        self._mirror = mirror
        self._database = database
        self._hub = models

    def known(self, model: str) -> Model | None:
        """By its id, as the catalogue has it now."""
        return self._mirror.catalogue.named(model)

    async def model(self, name: str, organization: Organization | None = None) -> tuple[Model, bool]:
        """The model that a caller of `organization` means by this, and whether it is new in the catalogue.

        Raises Problem.
        """
        known = resolve(name, self._mirror.catalogue, organization)
        if isinstance(known, Resolved):
            return await self._measured(known.model), False
        if not _is_hub_id(name):
            detail = f"{name!r} is no id of the Hugging Face hub; write it as there, such as Qwen/Qwen2.5-7B-Instruct."
            raise _refused("model_id_malformed", "This is no model id", detail)
        found = _admitted(name, await self._hub.look_up(name))
        if respelled := self._mirror.catalogue.named(found.model):  # the hub's own spelling may be another
            return await self._measured(respelled), False
        added = await self._database.add_model(found)
        await self._mirror.load()
        self._tell_shadowed(added)
        return added, True

    def _tell_shadowed(self, model: Model) -> None:
        """An offering of that name, made before the model came, is not served any more."""
        slug, _, code = model.model.partition("/")
        organization = self._mirror.organizations.called(slug)
        if organization and self._mirror.catalogue.offering(organization.id, code):
            log.warning("offering shadowed", organization=slug, name=model.model)

    async def _measured(self, known: Model) -> Model:
        """With figures, if it had none and the hub tells them now. What is in the way of that stops no launch."""
        if known.parameters is not None:
            return known
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._hub.look_up(known.model)
        except TimeoutError:
            found = hub.Unreachable(f"no answer within {_PATIENCE_S} s")
        if not isinstance(found, hub.Found) or found.parameters is None:
            log.info("model not measured", model=known.model, answer=repr(found))
            return known
        try:
            measured = await self._database.add_model(replace(found, model=known.model))
            await self._mirror.load()
        except DOWN as error:
            log.warning("figures of a model not kept", model=known.model, reason=repr(error))
            return known
        return measured


def _admitted(name: str, lookup: hub.Lookup) -> hub.Found:
    match lookup:
        case hub.Found():
            return lookup
        case hub.NotOnHub():
            detail = (
                f"The Hugging Face hub has no public model {name}; check the spelling. A private one looks the same."
            )
            raise _refused("model_not_found", "There is no such model", detail)
        case hub.Private():
            detail = f"{name} is private; everyone with a key could use it here, so only public models are served."
            raise _refused("model_private", "The model is private", detail)
        case hub.Gated(with_token=False):
            detail = f"{name} is gated: accept its licence on the hub, then start the services with your HF_TOKEN."
            raise _refused("model_gated", "The model is gated", detail)
        case hub.Gated():
            detail = f"{name} is gated, and the owner of HF_TOKEN has no access: accept its licence on the hub."
            raise _refused("model_gated", "The model is gated", detail)
        case hub.Disabled():
            detail = f"{name} was taken down on the hub, so nobody can load it any more; choose another model."
            raise _refused("model_disabled", "The model was taken down", detail)
        case hub.Unsupported(pipeline=pipeline):
            purpose = f"is for {pipeline}" if pipeline else "does not say what it is for"
            detail = f"{name} {purpose}; text generation and embeddings are what is served here."
            raise _refused("task_not_supported", "The model's task is not supported", detail)
        case hub.TokenRefused():
            detail = "The hub refuses our HF_TOKEN; the api service needs a valid one, or none."
            raise Problem(502, "hub_token_refused", "The hub refuses our token", detail)
        case hub.RateLimited(retry_after_s=seconds):
            detail = f"The Hugging Face hub takes no more questions for now, so {name} could not be looked up. "
            detail += "Try again later; those that come with an HF_TOKEN may ask more."
            title = "The Hugging Face hub is asked too often"
            raise unavailable("hub_rate_limited", title, detail, retry_after_s=seconds)
        case hub.Unreachable(reason=reason):
            detail = f"The Hugging Face hub could not be asked about {name} ({reason}). Try again in a moment."
            raise unavailable("hub_unavailable", "The Hugging Face hub does not answer", detail)
        case _:
            assert_never(lookup)


def _is_hub_id(name: str) -> bool:
    """A namespace and a name: of the few models without a namespace, the hub knows a spelling with one."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return "/" in name


def _refused(code: str, title: str, detail: str) -> Problem:
    return Problem(422, code, title, detail, errors=(FieldError(pointer=_AT, detail=detail),))
