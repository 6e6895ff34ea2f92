"""`/models` and `/api-keys`: what may be served, and to whom."""

from typing import Annotated, Final, Literal
from uuid import UUID

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from services.api.authentication import ANY_KEY
from services.api.catalogue import Model
from services.api.cataloguing import Cataloguing
from services.api.database import Database, LastAdminKey
from services.api.keys import ApiKey, Role
from services.api.mirror import Mirror
from services.api.pages import Cursor, Limit, Page, page, position
from services.api.problems import Problem
from services.api.views import NewApiKey


class ModelBody(BaseModel):
    """A model's id on the Hugging Face hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: Annotated[str, Field(min_length=1, max_length=200)]


class ApiKeyBody(BaseModel):
    """`name` says what the key is for."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    role: Literal["admin", "user"] = "user"


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


@get("/api-keys", summary="List the keys, newest first, without the keys themselves")
async def list_api_keys(database: NamedDependency[Database], limit: Limit = 50, cursor: Cursor = None) -> Page[ApiKey]:
    found = await database.api_keys(after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.created_at, last.id))


@post("/api-keys", status_code=201, summary="Make a key; it is shown this once")
async def add_api_key(
    data: JSONBody[ApiKeyBody],
    database: NamedDependency[Database],
    mirror: NamedDependency[Mirror],
) -> NewApiKey:
    made = await database.add_api_key(data.name, Role(data.role))
    await mirror.load()
    return made


@delete("/api-keys/{key_id:str}", summary="Refuse a key from now on, everywhere within a second")
async def remove_api_key(
    key_id: FromPath[str],
    database: NamedDependency[Database],
    mirror: NamedDependency[Mirror],
) -> None:
    try:
        removed = await database.remove_api_key(_identified(key_id), keep_an_admin=not mirror.has_configured_admin)
    except LastAdminKey:
        detail = "It is the last administrator's key; make another one first."
        raise Problem(409, "last_admin_key", "Nobody could administer this installation any more", detail) from None
    if not removed:
        raise _unknown(key_id)
    await mirror.load()


ROUTES: Final = (list_models, add_model, list_api_keys, add_api_key, remove_api_key)


def _identified(key_id: str) -> UUID:
    try:
        return UUID(key_id)
    except ValueError:
        raise _unknown(key_id) from None


def _unknown(key_id: str) -> Problem:
    detail = f"No key has the id {key_id!r}; GET /api-keys lists those that can be removed here."
    return Problem(404, "api_key_not_found", "There is no such key", detail)
