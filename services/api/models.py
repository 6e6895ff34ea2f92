"""`/models`: what may be served."""

from typing import Annotated, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from services.api.authentication import ANY_KEY
from services.api.catalogue import Model
from services.api.cataloguing import Cataloguing
from services.api.database import Database
from services.api.pages import Cursor, Limit, Page, page, position


class ModelBody(BaseModel):
    """A model's id on the Hugging Face hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: Annotated[str, Field(min_length=1, max_length=200)]


@get("/models", opt=ANY_KEY, summary="List the catalogue, newest first")
async def list_models(database: NamedDependency[Database], limit: Limit = 50, cursor: Cursor = None) -> Page[Model]:
    found = await database.models(after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.created_at, last.id))


@post(
    "/models",
    summary="Look a model up on the hub and add it to the catalogue",
    description="201 when it is new there, 200 when it was there before. Asking for an instance does the same.",
)
async def add_model(data: JSONBody[ModelBody], cataloguing: NamedDependency[Cataloguing]) -> Response[Model]:
    model, new = await cataloguing.model(data.model)
    return Response(model, status_code=201 if new else 200)


ROUTES: Final = (list_models, add_model)
