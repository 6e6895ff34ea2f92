"""`/organizations`: the teams that share this installation."""

from typing import Annotated, Any, Final

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.api_keys import ApiKey
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.admission.launches import Launches
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.slugs import Slugs
from services.api.control.authorization import MEMBERS
from services.api.control.callers import caller
from services.api.control.dependencies import Provided
from services.api.control.errors import OrganizationExists, OrganizationInUse
from services.api.control.openapi.answers import refusals
from services.api.refusals import FieldError, Kind
from services.api.tenancy.organizations import Limits, Organization, Slug
from services.api.tenancy.ownership import may_see_organization, organization_at, unknown_organization
from services.api.tenancy.repository import OrganizationRepository
from shared.actor import Actor
from shared.deployments.decide import DeploymentIntent
from shared.lifecycle.status import GONE
from shared.plain_text import VISIBLE

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=VISIBLE)]


class OrganizationBody(Limits):
    """`slug` is the part before the slash in its offerings' names and never changes; `name` defaults to the slug."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    slug: Slug
    name: Name | None = None
    insist: Annotated[
        bool,
        Field(description="Even if somebody on the Hugging Face hub has this name, or the hub does not answer."),
    ] = False


class OrganizationChangeBody(Limits):
    """Fields that are not named stay; null removes a limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name = ""


class OrganizationList(BaseModel):
    """All organisations: they are too few for pages."""

    model_config = ConfigDict(frozen=True)
    items: list[Organization]
    next_cursor: None = None


@get("/organizations", opt=MEMBERS, summary="List the organisations, newest first; a user's key sees its own")
async def list_organizations(request: Request[Any, ApiKey, Any], access: Provided[AccessCache]) -> OrganizationList:
    return OrganizationList(items=[one for one in access.organizations if may_see_organization(request.auth, one)])


@post(
    "/organizations",
    status_code=201,
    summary="Make an organisation",
    description="Refused, unless `insist` is set, if ids of public models may begin with its slug: those win.",
    responses=refusals(
        {
            Kind.CONFLICT: "The slug is taken, or a name on the Hugging Face hub",
            Kind.FAILED: "The hub refuses our token",
        }
    ),
)
async def add_organization(
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[OrganizationBody],
    organizations: Provided[OrganizationRepository],
    access: Provided[AccessCache],
    slugs: Provided[Slugs],
) -> Organization:
    if not data.insist and access.organizations.called(data.slug) is None:
        await slugs.check(data.slug)
    made = await organizations.add(data.slug, data.name or data.slug, data, by=request.user)
    if made is None:
        detail = f"{data.slug!r} is taken; choose another slug, or use the existing organisation."
        raise OrganizationExists(detail, errors=(FieldError(pointer="/slug", detail=detail),))
    await access.load()
    return made


@get("/organizations/{slug:str}", opt=MEMBERS, summary="Show an organisation and its limits")
async def show_organization(
    request: Request[Any, ApiKey, Any], slug: FromPath[str], access: Provided[AccessCache]
) -> Organization:
    return organization_at(slug, request.auth, access)


@patch("/organizations/{slug:str}", summary="Change an organisation's name or limits")
async def change_organization(
    request: Request[Actor, ApiKey, Any],
    slug: FromPath[str],
    data: JSONBody[OrganizationChangeBody],
    organizations: Provided[OrganizationRepository],
    access: Provided[AccessCache],
) -> Organization:
    organization = organization_at(slug, request.auth, access)
    fields = data.model_dump(mode="json", exclude_unset=True)
    changed = await organizations.change(organization.id, fields, by=request.user)
    await access.load()
    if changed is None:
        raise unknown_organization(slug)
    return changed


@delete(
    "/organizations/{slug:str}",
    summary="Delete an organisation with its keys and offerings",
    responses=refusals({Kind.CONFLICT: "It still has deployments or instances"}),
    description="Refused while it has deployments, or instances that are neither terminated nor archived.",
)
async def remove_organization(
    *,
    request: Request[Actor, ApiKey, Any],
    slug: FromPath[str],
    organizations: Provided[OrganizationRepository],
    launches: Provided[Launches],
    deployments: Provided[DeploymentIntents],
    access: Provided[AccessCache],
) -> None:
    async with launches.turn(organization_at(slug, request.auth, access).id) as organization:
        standing = [one for one in await launches.standing(organization.id) if one.status not in GONE]
        if standing:
            detail = f"{len(standing)} of its instances are neither terminated nor archived; end them first. "
            detail += f"GET /instances?organization={slug} lists them."
            raise OrganizationInUse(detail)
        if await deployments.of_organization(organization.id):
            detail = f"It has deployments; delete them first. GET /deployments?organization={slug} lists them."
            raise OrganizationInUse(detail)
        await organizations.remove(organization.id, by=request.user)
        await access.load()
        for made_meanwhile in await deployments.of_organization(organization.id):  # by an api on another machine
            await deployments.intend(made_meanwhile.id, DeploymentIntent.DELETE, caller(request, None))


ROUTES: Final = (list_organizations, add_organization, show_organization, change_organization, remove_organization)
