"""`/api-keys`: keys, their organisations and their limits."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from pydantic import ConfigDict, Field

from services.api.access.api_keys import ApiKey, KeyLimits, NewApiKey, Role
from services.api.access.repository import ApiKeyRepository, LastAdminKey
from services.api.catalogue.access_cache import AccessCache
from services.api.control.dependencies import Provided
from services.api.control.errors import ApiKeyUnknown, LastKey
from services.api.control.openapi.answers import refusals
from services.api.control.pages import Cursor, Limit, Page, page, position
from services.api.refusals import FieldError, Kind, invalid
from services.api.tenancy.organizations import Slug
from services.api.tenancy.ownership import organization_named
from shared.actor import Actor
from shared.plain_text import VISIBLE


class ApiKeyBody(KeyLimits):
    """`name` says what the key is for; `organization` is a slug, for users' keys only."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100, pattern=VISIBLE)]
    role: Literal["admin", "user"] = "user"
    organization: Slug | None = None


class ApiKeyLimitsBody(KeyLimits):
    """Fields that are not named stay; null removes a limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@get("/api-keys", summary="List the keys, newest first, without the keys themselves")
async def list_api_keys(keys: Provided[ApiKeyRepository], limit: Limit = 50, cursor: Cursor = None) -> Page[ApiKey]:
    found = await keys.page(after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.created_at, last.id))


@post("/api-keys", status_code=201, summary="Make a key; it is shown this once")
async def add_api_key(
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[ApiKeyBody],
    keys: Provided[ApiKeyRepository],
    access: Provided[AccessCache],
) -> NewApiKey:
    role = Role(data.role)
    if role is Role.ADMIN and data.organization is not None:
        detail = "an administrator's key belongs to no organisation; leave this out, or make a user's key."
        raise invalid(FieldError(pointer="/organization", detail=detail))
    organization = await organization_named(data.organization, access)
    made = await keys.add(data.name, role, data, organization.id if organization else None, by=request.user)
    await access.load()
    if made is None:
        detail = f"the organisation {data.organization!r} has just been deleted."
        raise invalid(FieldError(pointer="/organization", detail=detail))
    return made


@patch("/api-keys/{key_id:str}", summary="Change a key's limits, everywhere within a second")
async def change_api_key(
    request: Request[Actor, ApiKey, Any],
    key_id: FromPath[str],
    data: JSONBody[ApiKeyLimitsBody],
    keys: Provided[ApiKeyRepository],
    access: Provided[AccessCache],
) -> ApiKey:
    changed = await keys.change(_identified(key_id), data.model_dump(exclude_unset=True), by=request.user)
    if changed is None:
        raise _unknown(key_id)
    await access.load()
    return changed


@delete(
    "/api-keys/{key_id:str}",
    summary="Refuse a key from now on, everywhere within a second",
    responses=refusals({Kind.CONFLICT: "It is the last administrator's key"}),
)
async def remove_api_key(
    request: Request[Actor, ApiKey, Any],
    key_id: FromPath[str],
    keys: Provided[ApiKeyRepository],
    access: Provided[AccessCache],
) -> None:
    try:
        keep = not access.has_configured_admin
        removed = await keys.remove(_identified(key_id), keep_an_admin=keep, by=request.user)
    except LastAdminKey:
        detail = "It is the last administrator's key; make another one first."
        raise LastKey(detail) from None
    if not removed:
        raise _unknown(key_id)
    await access.load()


ROUTES: Final = (list_api_keys, add_api_key, change_api_key, remove_api_key)


def _identified(key_id: str) -> UUID:
    try:
        return UUID(key_id)
    except ValueError:
        raise _unknown(key_id) from None


def _unknown(key_id: str) -> ApiKeyUnknown:
    detail = f"No key has the id {key_id!r}; GET /api-keys lists those that can be removed here."
    return ApiKeyUnknown(detail)
