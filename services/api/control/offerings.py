"""`/organizations/{slug}/offerings`: an organisation's own names for models."""

import re
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Self
from uuid import UUID

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.api_keys import ApiKey, ModelName
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.admission.new_models import NewModels
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.catalogue import Catalogue, Model
from services.api.catalogue.cataloguing import Cataloguing, Meant
from services.api.catalogue.errors import ModelIdMalformed
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.errors import ModelRemoved, OfferingCollides, OfferingExists, OfferingUnknown
from services.api.control.openapi.answers import refusals
from services.api.refusals import FieldError, Kind
from services.api.tenancy.offerings import Offering
from services.api.tenancy.organizations import Organization
from services.api.tenancy.ownership import organization_at, unknown_organization
from services.api.tenancy.repository import ModelGone, OfferingRepository, OrganizationGone
from shared.actor import Actor
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentUnknown
from shared.deployments.events import deployment_id

_ID: Final = re.compile(r".*/.*|[0-9a-f-]{36}", re.IGNORECASE)
"""What names a model, and no deployment."""
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
AskedModel = Annotated[
    ModelName,
    Field(description="Its id on the Hugging Face hub, its UUID, or the name of a deployment of it."),
]


class OfferingBody(BaseModel):
    """Its name is the organisation's slug, a slash, and `code`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: Code
    model: AskedModel
    active: bool = True


class OfferingChangeBody(BaseModel):
    """Fields that are not named stay."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: AskedModel | None = None
    active: bool | None = None


class OfferingView(BaseModel):
    """`name` is the name to use under /v1; `shadowed`: a catalogued model has the same id and is served instead.

    `detail` says what to do about it. `deployment`: whose model it is at any time; null if it is always the same.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID
    name: str
    code: str
    model_id: UUID
    model: str | None
    deployment: str | None
    active: bool
    shadowed: bool
    detail: str | None
    created_at: datetime

    @classmethod
    def of(cls, offering: Offering, organization: Organization, catalogue: Catalogue) -> Self:
        name = organization.name_of(offering.code)
        shadowed, model = catalogue.named(name) is not None, catalogue.offered(offering)
        detail = None
        if shadowed:
            detail = f"{name} is a public model's id and means that model; offer this under another code, or have an "
            detail += f"administrator remove that model from the catalogue (coldstart models remove {name})."
        elif catalogue.lost_its_deployment(offering) and model is not None:
            detail = f"No deployment {offering.deployment} is known. Until one is, {name} means {model.model}, as at "
            detail += "first; offer another, or take it back."
        return cls(
            id=offering.id,
            organization_id=organization.id,
            name=name,
            code=offering.code,
            model_id=model.id if model else offering.model_id,
            model=model.model if model else None,
            deployment=offering.deployment,
            active=offering.active,
            shadowed=shadowed,
            detail=detail,
            created_at=offering.created_at,
        )


class OfferingList(BaseModel):
    """All offerings: they are too few for pages."""

    model_config = ConfigDict(frozen=True)
    items: list[OfferingView]
    next_cursor: None = None


@get("/organizations/{slug:str}/offerings", opt=MEMBERS, summary="List an organisation's offerings, newest first")
async def list_offerings(
    request: Request[Any, ApiKey, Any], slug: FromPath[str], access: Provided[AccessCache]
) -> OfferingList:
    organization, catalogue = organization_at(slug, request.auth, access), access.catalogue
    offerings = catalogue.offerings(organization.id)
    return OfferingList(items=[OfferingView.of(offering, organization, catalogue) for offering in offerings])


@post(
    "/organizations/{slug:str}/offerings",
    status_code=201,
    summary="Give a model a name of the organisation's own",
    responses=refusals({Kind.CONFLICT: "The name is taken", Kind.FAILED: "The hub refuses our token"}),
    description="Refused if a catalogued model has that id: a public id always wins.",
)
async def add_offering(
    *,
    request: Request[Actor, ApiKey, Any],
    slug: FromPath[str],
    data: JSONBody[OfferingBody],
    offerings: Provided[OfferingRepository],
    cataloguing: Provided[Cataloguing],
    new_models: Provided[NewModels],
    deployments: Provided[DeploymentIntents],
    access: Provided[AccessCache],
) -> OfferingView:
    organization = organization_at(slug, request.auth, access)
    name = organization.name_of(data.code)
    deployment = await _deployment(data.model, organization, deployments)
    meant = await _meant(data.model, deployment, cataloguing)
    await new_models.check(meant)
    await access.load()
    if name == meant.model or access.catalogue.named(name):
        detail = f"{name} is the id of a public model, which everyone may ask for by it; choose another code."
        raise OfferingCollides(detail, errors=_at_code(detail))
    made = None
    if not access.catalogue.offering(organization.id, data.code):
        model = await cataloguing.add(meant)
        try:
            name_of = deployment.name if deployment else None
            made = await offerings.add(
                organization.id, data.code, model.id, name_of, active=data.active, by=request.user
            )
        except OrganizationGone:
            raise unknown_organization(slug) from None
        except ModelGone:
            raise _model_gone(model) from None
    if made is None:
        detail = f"{name} is offered already; change it with PATCH, or choose another code."
        raise OfferingExists(detail, errors=_at_code(detail))
    await access.load()
    return OfferingView.of(made, organization, access.catalogue)


@patch(
    "/organizations/{slug:str}/offerings/{code:str}",
    summary="Switch an offering on or off, or to another model",
    responses=refusals({Kind.CONFLICT: "The model has just been removed", Kind.FAILED: "The hub refuses our token"}),
)
async def change_offering(  # noqa: PLR0913 - each is a part of the request, or a service
    *,
    request: Request[Actor, ApiKey, Any],
    slug: FromPath[str],
    code: FromPath[str],
    data: JSONBody[OfferingChangeBody],
    offerings: Provided[OfferingRepository],
    cataloguing: Provided[Cataloguing],
    new_models: Provided[NewModels],
    deployments: Provided[DeploymentIntents],
    access: Provided[AccessCache],
) -> OfferingView:
    organization = organization_at(slug, request.auth, access)
    offering = _offering(organization, code, access.catalogue)
    model = deployment = None
    if data.model:
        deployment = await _deployment(data.model, organization, deployments)
        meant = await _meant(data.model, deployment, cataloguing)
        await new_models.check(meant)
        model = await cataloguing.add(meant)
    try:
        changed = await offerings.change(
            offering.id,
            model_id=model.id if model else None,
            deployment=deployment.name if deployment else None,
            active=data.active,
            by=request.user,
        )
    except ModelGone:
        raise _model_gone(model) from None
    await access.load()
    if changed is None:
        raise _unknown(organization, code)
    return OfferingView.of(changed, organization, access.catalogue)


@delete("/organizations/{slug:str}/offerings/{code:str}", summary="Take an offering back")
async def remove_offering(
    request: Request[Actor, ApiKey, Any],
    slug: FromPath[str],
    code: FromPath[str],
    offerings: Provided[OfferingRepository],
    access: Provided[AccessCache],
) -> None:
    organization = organization_at(slug, request.auth, access)
    removed = await offerings.remove(_offering(organization, code, access.catalogue).id, by=request.user)
    await access.load()
    if not removed:
        raise _unknown(organization, code)


ROUTES: Final = (list_offerings, add_offering, change_offering, remove_offering)


def _at_code(detail: str) -> tuple[FieldError]:
    return (FieldError(pointer="/code", detail=detail),)


async def _deployment(name: str, organization: Organization, deployments: DeploymentIntents) -> Deployment | None:
    """The organisation's own of this name, or else a shared one; None if there is none."""
    for owner in (organization.id, None) if _ID.fullmatch(name) is None else ():
        with suppress(DeploymentUnknown):
            found = await deployments.load(deployment_id(name, owner))
            if found.status is not DeploymentStatus.DELETED:
                return found
    return None


async def _meant(name: str, deployment: Deployment | None, cataloguing: Cataloguing) -> Meant:
    """Raises Refused."""
    try:
        return await cataloguing.meant(deployment.serving_template.model if deployment else name)
    except ModelIdMalformed as malformed:
        raise malformed.adding(f" Nor is there a deployment called {name!r}, of this organisation or of all.") from None


def _model_gone(model: Model | None) -> ModelRemoved:
    named = model.model if model else "The model"
    return ModelRemoved(f"{named} has just been removed from the catalogue; try again to add it again.")


def _offering(organization: Organization, code: str, catalogue: Catalogue) -> Offering:
    found = catalogue.offering(organization.id, code)
    if found is None:
        raise _unknown(organization, code)
    return found


def _unknown(organization: Organization, code: str) -> OfferingUnknown:
    return OfferingUnknown(f"{organization.slug} offers nothing as {code!r}; its offerings are listed at /offerings.")
