"""`/console/organizations`: who shares this installation, and what each calls its models."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from services.api.authentication import MEMBERS
from services.api.console.rendering import Pages
from services.api.database import Database
from services.api.keys import ApiKey
from services.api.launches import Launches
from services.api.mirror import Mirror
from services.api.offerings import OfferingView
from services.api.ownership import may_see_organization, organization_at
from services.api.used import used
from shared.bus.instance_types import InstanceTypes


@get("/console/organizations", opt=MEMBERS)
async def organizations(
    *,
    request: Request[Any, ApiKey, Any],
    mirror: NamedDependency[Mirror],
    launches: NamedDependency[Launches],
    database: NamedDependency[Database],
    offered: NamedDependency[InstanceTypes],
    pages: NamedDependency[Pages],
) -> Template:
    prices, now = await offered.of_all(), datetime.now(UTC)
    seen = [one for one in mirror.organizations if may_see_organization(request.auth, one)]
    rows = [(one, await used(one, launches, database, prices, now)) for one in seen]
    return pages.page(request, "organizations", rows=rows)


@get("/console/organizations/{slug:str}", opt=MEMBERS)
async def organization(
    *,
    request: Request[Any, ApiKey, Any],
    slug: FromPath[str],
    mirror: NamedDependency[Mirror],
    launches: NamedDependency[Launches],
    database: NamedDependency[Database],
    offered: NamedDependency[InstanceTypes],
    pages: NamedDependency[Pages],
) -> Template:
    found, catalogue = organization_at(slug, request.auth, mirror), mirror.catalogue
    names = (found.name_of(one.code) for one in catalogue.offerings(found.id))
    return pages.page(
        request,
        "organization",
        organization=found,
        used=await used(found, launches, database, await offered.of_all(), datetime.now(UTC)),
        offerings=[OfferingView.of(one, found, catalogue) for one in catalogue.offerings(found.id)],
        shadowing={name: model.id for name in names if (model := catalogue.named(name))},
    )


ROUTES: Final = (organizations, organization)
