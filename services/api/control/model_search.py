"""`/models/search`: models to launch, from the catalogue and then the hub. Never on the inference path."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

from litestar import Request, get
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.api_keys import ApiKey
from services.api.admission import fit
from services.api.admission.launch_rights import LaunchRights
from services.api.admission.repository_rules import unloadable_as_listed
from services.api.admission.serving_rules import never_served
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.catalogue import Catalogue, Model
from services.api.catalogue.hub.client import HubFailure, HubUnreachable, RateLimited, TokenRefused
from services.api.catalogue.hub.search import HubSearch, Listed, in_words
from services.api.catalogue.resolution import Resolved, Rule, resolve
from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided
from services.api.refusals import FieldError, invalid
from services.api.tenancy.organizations import Organization
from services.api.tenancy.ownership import organization_at
from shared.lifecycle.wish import Task

_SHORTEST: Final = 2
_LONGEST: Final = 200
_AS_IT_IS: Final = fit.WeightsPlacement.of(())
_UNLICENSED: Final = "It is gated: accept its licence on the hub, then start the services with your HF_TOKEN."
_LICENCE: Final = "Its licence has to be accepted on the hub by the owner of HF_TOKEN."


class FoundModel(BaseModel):
    """A model under its name for launches; `offering_of` is its hub id if that name is an organisation's.

    `loaded_gb` is the weights' size once loaded, in 10⁹ bytes. `task` is null if it is not served here. `why` says why
    it is not `usable`, or what it needs. Unknown values are null.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    offering_of: str | None = None
    in_catalogue: bool
    gated: bool
    task: Task | None
    parameters: int | None
    weights_bytes: int | None
    loaded_gb: float | None
    downloads: int | None = None
    usable: bool
    why: str | None


class HubAnswer(BaseModel):
    """Whether the hub's models are included; `detail` says why not."""

    model_config = ConfigDict(frozen=True)
    status: Literal["answered", "not_asked", "unavailable", "rate_limited", "token_refused"]
    detail: str | None = None


class FoundModels(BaseModel):
    """Models of the catalogue first, then of the hub; those that cannot be launched come last."""

    model_config = ConfigDict(frozen=True)
    items: Annotated[list[FoundModel], Field(description="At most `limit` of the catalogue, and as many of the hub.")]
    hub: HubAnswer
    next_cursor: None = None


class ModelSearch:
    def __init__(self, access: AccessCache, hub: HubSearch, rights: LaunchRights) -> None:
        self._access = access
        self._hub = hub
        self._rights = rights

    async def found(self, text: str, owner: ApiKey, organization: Organization | None, limit: int) -> FoundModels:
        """Models whose ids contain all words of `text`, in any order and case; without text, the catalogue alone."""
        words = text.casefold().split()
        answer: tuple[Listed, ...] | HubFailure = await self._hub.search(text) if words else ()
        told_by_hub = {one.model: one for one in answer} if isinstance(answer, tuple) else {}
        named = _catalogued(self._access.catalogue, organization)
        catalogued = [
            self._of_catalogue(name, model, told_by_hub.get(model.model)) for name, model in named if _has(words, name)
        ]
        known = self._access.catalogue
        listed = [self._of_hub(one, owner) for one in told_by_hub.values() if known.named(one.model) is None]
        items = [*_best(catalogued, text)[:limit], *_best(listed, text)[:limit]]
        return FoundModels(items=items, hub=_hub_answer(answer) if words else HubAnswer(status="not_asked"))

    def _of_catalogue(self, name: str, model: Model, listed: Listed | None) -> FoundModel:
        why = _UNLICENSED if model.gated and not self._hub.has_token else None
        if why is None and listed is not None:
            why = _why_refused(listed, model.task, trusted=model.trust_remote_code)
        return FoundModel(
            model=name,
            offering_of=None if name == model.model else model.model,
            in_catalogue=True,
            gated=model.gated,
            task=model.task,
            parameters=model.parameters,
            weights_bytes=model.weights_bytes,
            loaded_gb=fit.loaded_gb(model, _AS_IT_IS),
            downloads=listed.downloads if listed else None,
            usable=why is None,
            why=why,
        )

    def _of_hub(self, listed: Listed, owner: ApiKey) -> FoundModel:
        usable, why = self._usable(listed, owner)
        return FoundModel(
            model=listed.model,
            in_catalogue=False,
            gated=listed.gated,
            task=listed.task,
            parameters=listed.parameters,
            weights_bytes=listed.weights_bytes,
            loaded_gb=fit.loaded_gb(listed, _AS_IT_IS),
            downloads=listed.downloads,
            usable=usable,
            why=why,
        )

    def _usable(self, listed: Listed, owner: ApiKey) -> tuple[bool, str | None]:
        """Accepted licences and files are only known model by model, so a launch may still be refused."""
        if listed.task is None:
            purpose = f"It is for {listed.pipeline}" if listed.pipeline else "The hub does not say what it is for"
            return False, f"{purpose}; only text generation and embeddings are served here."
        if refused := _why_refused(listed, listed.task, trusted=False):
            return False, refused
        if listed.gated and not self._hub.has_token:
            return False, _UNLICENSED
        if why := self._rights.why_not_add(owner, listed):
            return False, why
        return True, _LICENCE if listed.gated else None


def _why_refused(listed: Listed, task: Task, *, trusted: bool) -> str | None:
    """What a launch would be refused for, as far as the search tells it; a launch reads the files as well."""
    return unloadable_as_listed(listed) or never_served(listed, task, trusted=trusted)


def _catalogued(catalogue: Catalogue, organization: Organization | None) -> Iterator[tuple[str, Model]]:
    """Every name that a launch for `organization`, or a shared one, may use, without shadowed offerings."""
    for model in catalogue:
        yield model.model, model
    for offering in catalogue.offerings(organization.id) if organization else ():
        name = organization.name_of(offering.code) if organization else offering.code
        found = resolve(name, catalogue, organization)
        if isinstance(found, Resolved) and found.rule is Rule.OFFERING:
            yield name, found.model


def _has(words: Iterable[str], name: str) -> bool:
    folded = name.casefold()
    return all(word in folded for word in words)


def _best(found: list[FoundModel], text: str) -> list[FoundModel]:
    """An exact match first, models that cannot be launched last; otherwise in their order."""
    return sorted(found, key=lambda one: (one.model.casefold() != text.casefold(), not one.usable))


def _hub_answer(answer: tuple[Listed, ...] | HubFailure) -> HubAnswer:
    match answer:
        case HubUnreachable():
            return HubAnswer(status="unavailable", detail=in_words(answer))
        case RateLimited():
            return HubAnswer(status="rate_limited", detail=in_words(answer))
        case TokenRefused():
            return HubAnswer(status="token_refused", detail=in_words(answer))
        case _:
            return HubAnswer(status="answered")


@get(
    "/models/search",
    opt=ANY_KEY,
    summary="Find models to launch, in the catalogue and on the Hugging Face hub",
    description="By all words of `q`, anywhere in the id; without `q`, the catalogue alone. A hub that does not answer "
    "is told in `hub`, and what the catalogue has is there all the same. Private models are never found.",
)
async def search_models(
    *,
    request: Request[Any, ApiKey, Any],
    model_search: Provided[ModelSearch],
    access: Provided[AccessCache],
    q: Annotated[
        str | None,
        QueryParameter(
            max_length=_LONGEST, description="Two characters or more.", schema_extra={"min_length": _SHORTEST}
        ),
    ] = None,
    organization: Annotated[
        str | None,
        QueryParameter(
            max_length=63,
            description="Include this organisation's offerings (slug). Default: the key's own.",
        ),
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=50, description="Limit for the catalogue, and for the hub.")] = 20,
) -> FoundModels:
    text = " ".join((q or "").split())
    if q is not None and len(text) < _SHORTEST:
        raise invalid(FieldError(pointer="q", detail="two characters at least; leave it out for the catalogue alone."))
    whose = organization_at(organization, request.auth, access) if organization else None
    return await model_search.found(text, request.auth, whose or access.organization_of(request.auth), limit)


ROUTES: Final = (search_models,)
