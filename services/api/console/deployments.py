"""`/console/deployments`: all deployments, and each by itself."""

from typing import Any, Final
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Redirect, Template

from services.api.access.api_keys import ApiKey
from services.api.admission.deployment_intents import DeploymentIntents
from services.api.catalogue.access_cache import AccessCache
from services.api.console.rendering import HEADERS, Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.deployments import Owner, named
from shared.clock import CLOCK
from shared.deployments.description import DeploymentDescription
from shared.deployments.errors import DeploymentUnknown


@get("/console/deployments", opt=MEMBERS)
async def deployments(request: Request[Any, ApiKey, Any], pages: Provided[Pages]) -> Template:
    return pages.page(request, "deployments")


@get("/console/deployments/{name:str}", opt=MEMBERS)
async def deployment(  # noqa: PLR0917 - what it needs, by type
    request: Request[Any, ApiKey, Any],
    name: FromPath[str],
    intents: Provided[DeploymentIntents],
    access: Provided[AccessCache],
    pages: Provided[Pages],
    organization: Owner = None,
) -> Template:
    found = await intents.load(named(name, organization, request.auth, access))
    shown = DeploymentDescription.of(found, CLOCK.now())
    owner = access.organizations.identified(found.organization_id)
    return pages.page(request, "deployment", deployment=shown, owner_slug=owner.slug if owner else "")


@get("/console/deployments/by-id/{deployment_id:uuid}", opt=MEMBERS)
async def deployment_by_id(
    request: Request[Any, ApiKey, Any],
    deployment_id: FromPath[UUID],
    intents: Provided[DeploymentIntents],
    access: Provided[AccessCache],
) -> Redirect:
    """For links from where the owner's slug is not known."""
    found = await intents.load(deployment_id)
    if request.auth.organization_id not in {None, found.organization_id}:
        raise DeploymentUnknown(deployment_id)
    owner = access.organizations.identified(found.organization_id)
    query = f"?organization={owner.slug}" if owner else ""
    return Redirect(f"/console/deployments/{found.name}{query}", status_code=303, headers=HEADERS)


ROUTES: Final = (deployments, deployment, deployment_by_id)
