"""`/models/resolve`: what a model's name means to the caller, and which instances would answer."""

from typing import Annotated, Any, Final

from litestar import Request, get
from litestar.params import QueryParameter

from services.api.access.api_keys import ApiKey
from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided
from services.api.router.explaining import Explaining, Explanation


@get(
    "/models/resolve",
    opt=ANY_KEY,
    summary="Explain what a model's name means to this key, and which instances would answer",
)
async def resolve_model(
    request: Request[Any, ApiKey, Any],
    explaining: Provided[Explaining],
    model: Annotated[str, QueryParameter(max_length=200, description="The name, as in a request under /v1.")],
) -> Explanation:
    return explaining.explain(model, request.auth)


ROUTES: Final = (resolve_model,)
