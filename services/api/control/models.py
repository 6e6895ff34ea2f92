"""`/models`: the models that can be served."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.api_keys import ApiKey, ModelName
from services.api.admission.new_models import NewModels
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.catalogue import Model
from services.api.catalogue.cataloguing import Cataloguing
from services.api.catalogue.repository import ModelRepository
from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided
from services.api.control.errors import ModelInUse, ModelOffered, ModelUnknown
from services.api.control.openapi.answers import refusals
from services.api.control.pages import Cursor, Limit, Page, page, position
from services.api.refusals import Kind
from shared.actor import Actor
from shared.lifecycle.wish import Task


class ModelBody(BaseModel):
    """A model's id on the Hugging Face hub, and whether its workers may run code from its repository."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: ModelName
    task: Annotated[
        Task | None, Field(description="What it is for. Default: as the hub says. It never changes in the catalogue.")
    ] = None
    trust_remote_code: Annotated[
        bool | None, Field(description="Whether workers may run code from its repository. Default: no, or as it was.")
    ] = None


@get("/models", opt=ANY_KEY, summary="List the catalogue, newest first")
async def list_models(models: Provided[ModelRepository], limit: Limit = 50, cursor: Cursor = None) -> Page[Model]:
    found = await models.page(after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.created_at, last.id))


@post(
    "/models",
    summary="Look a model up on the hub and add it to the catalogue",
    responses={
        200: ResponseSpec(Model, description="It was there before", generate_examples=False),
        **refusals({Kind.FAILED: "The hub refuses our token"}),
    },
    description="201 if it is new there, 200 if it was there before. Creating an instance of it does the same. "
    "Refused if no supported version of vLLM could serve it.",
)
async def add_model(
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[ModelBody],
    cataloguing: Provided[Cataloguing],
    new_models: Provided[NewModels],
) -> Response[Model]:
    meant = await cataloguing.meant(data.model, task=data.task, insist=True)
    await new_models.check(meant, trusted=bool(data.trust_remote_code))
    return Response(
        await cataloguing.add(meant, data.trust_remote_code, by=request.user),
        status_code=200 if isinstance(meant, Model) else 201,
    )


@delete(
    "/models/{model_id:str}",
    summary="Take a model out of the catalogue",
    responses=refusals({Kind.CONFLICT: "It still has deployments, instances or offerings"}),
    description="Refused while an instance of it is neither terminated nor archived, or a deployment or an offering is "
    "of it. Its usage stays. An offering that it shadowed answers again.",
)
async def remove_model(
    request: Request[Actor, ApiKey, Any],
    model_id: FromPath[str],
    models: Provided[ModelRepository],
    access: Provided[AccessCache],
) -> None:
    uses = await models.remove(_identified(model_id), by=request.user)
    if uses is None:
        raise _unknown(model_id)
    if uses.deployments:
        detail = f"{uses.deployments} deployments are of it; delete them first. GET /deployments?model={uses.model} "
        raise ModelInUse(f"{detail}lists them.")
    if uses.instances:
        detail = f"{uses.instances} of its instances are neither terminated nor archived; end them first. "
        detail += f"GET /instances?model={uses.model} lists them."
        raise ModelInUse(detail)
    if uses.offerings:
        detail = f"It is offered as {', '.join(uses.offerings)}: remove that first, or offer another model there."
        raise ModelOffered(detail)
    await access.load()


ROUTES: Final = (list_models, add_model, remove_model)


def _identified(model_id: str) -> UUID:
    """Raises ModelUnknown unless it is a UUID."""
    try:
        return UUID(model_id)
    except ValueError:
        raise _unknown(model_id) from None


def _unknown(model_id: str) -> ModelUnknown:
    detail = f"No model of the catalogue has the id {model_id!r}: those are UUIDs. GET /models lists them."
    return ModelUnknown(detail)
