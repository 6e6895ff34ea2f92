"""`/console/organizations`: the teams that share this installation, and their names for models."""

from typing import Any, Final

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Template

from services.api.access.api_keys import ApiKey
from services.api.admission.launches import Launches
from services.api.admission.limit_use import limit_use
from services.api.catalogue.access_cache import AccessCache
from services.api.console.rendering import Pages
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.offerings import OfferingView
from services.api.tenancy.ownership import may_see_organization, organization_at
from services.api.usage.costs import CostRepository
from shared.clock import CLOCK
from shared.offers.instance_types import InstanceTypes


@get("/console/organizations", opt=MEMBERS)
async def organizations(
    *,
    request: Request[Any, ApiKey, Any],
    access: Provided[AccessCache],
    launches: Provided[Launches],
    costs: Provided[CostRepository],
    offered: Provided[InstanceTypes],
    pages: Provided[Pages],
) -> Template:
    prices, now = await offered.of_all(), CLOCK.now()
    seen = [one for one in access.organizations if may_see_organization(request.auth, one)]
    rows = [(one, await limit_use(one, launches, costs, prices, now)) for one in seen]
    return pages.page(request, "organizations", rows=rows)


@get("/console/organizations/{slug:str}", opt=MEMBERS)
async def organization(
    *,
    request: Request[Any, ApiKey, Any],
    slug: FromPath[str],
    access: Provided[AccessCache],
    launches: Provided[Launches],
    costs: Provided[CostRepository],
    offered: Provided[InstanceTypes],
    pages: Provided[Pages],
) -> Template:
    found, catalogue = organization_at(slug, request.auth, access), access.catalogue
    names = (found.name_of(one.code) for one in catalogue.offerings(found.id))
    return pages.page(
        request,
        "organization",
        organization=found,
        used=await limit_use(found, launches, costs, await offered.of_all(), CLOCK.now()),
        offerings=[OfferingView.of(one, found, catalogue) for one in catalogue.offerings(found.id)],
        shadowing={name: model.id for name in names if (model := catalogue.named(name))},
    )


ROUTES: Final = (organizations, organization)
