"""`/models/fit`: which instance types a model fits, before anything is asked for."""

from typing import Any, Final

from litestar import Request, post
from litestar.params import JSONBody

from services.api.access.api_keys import ApiKey
from services.api.admission.fitting import Fitting, ModelFit
from services.api.admission.launch_body import InstanceBody
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.openapi.answers import refusals
from services.api.refusals import Kind
from services.api.tenancy.ownership import organization_for


@post(
    "/models/fit",
    opt=MEMBERS,
    status_code=200,
    responses=refusals({Kind.NOT_FOUND: "The organisation has been deleted", Kind.FAILED: "The hub refuses our token"}),
    summary="Tell which instance types a model fits, and with how long a context",
    description="The body is that of POST /instances, and the answer what a launch on each type would be told. Nothing "
    "is recorded. `instance_types`, `zones` and what an instance does later change nothing.",
)
async def fit_model(
    request: Request[Any, ApiKey, Any],
    data: JSONBody[InstanceBody],
    fitting: Provided[Fitting],
    access: Provided[AccessCache],
) -> ModelFit:
    organization = await organization_for(data.organization, request.auth, access)
    return await fitting.of(data, organization)


ROUTES: Final = (fit_model,)
