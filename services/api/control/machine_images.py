"""`/machine-images`: make, list and delete the images that launches boot from."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath, JSONBody
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.api.access.api_keys import ApiKey
from services.api.admission.image_builds import ImageBuilds, MachineImageBody
from services.api.catalogue.access_cache import AccessCache
from services.api.control.callers import TraceParent, caller
from services.api.control.dependencies import Provided
from services.api.control.errors import MachineImageUnknown
from services.api.control.openapi.answers import header, refusals
from services.api.control.repository import InstanceRepository
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.refusals import Kind
from services.api.tenancy.ownership import organization_for
from shared.actor import Actor
from shared.clock import CLOCK
from shared.description import Description
from shared.lifecycle.instance import Instance
from shared.lifecycle.words import cause
from shared.plain_text import PlainText


class MachineImageState(StrEnum):
    """`retired`: no launch chooses it any more, and it is deleted once none needs it."""

    BUILDING = "building"
    AVAILABLE = "available"
    RETIRED = "retired"
    FAILED = "failed"


class ImageUser(BaseModel):
    """A launch that has chosen a machine image, and whose machine does not answer yet."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    organization_id: UUID | None


class MachineImageView(BaseModel):
    """A machine image, or the build of one: `build` is the instance of which it is made.

    `vllm_image` is on it and, with a `model`, its weights of `commit`. `warmed`: so is what vLLM compiles for the model
    with `vllm_args`; None without a model, and while the image is built. `monthly_price` is what storing it costs in
    `currency`; None if nobody knows. `doing`: what the build is doing, why it failed, why the image was not warmed, or
    why it was retired. `in_use_by` are the launches that need it: a retired image is deleted only after them. A machine
    that has booted needs it no more.
    """

    model_config = ConfigDict(frozen=True)

    id: str | None
    build: UUID
    state: MachineImageState
    organization_id: UUID | None
    provider: str
    zone: str | None
    instance_type: str | None
    vllm_image: str | None
    model: str | None
    commit: str | None
    vllm_args: list[str]
    warmed: bool | None
    size_gb: int | None
    monthly_price: float | None
    currency: str | None
    created_at: AwareDatetime
    progress_percent: int
    doing: PlainText
    in_use_by: list[ImageUser]

    @classmethod
    def of(cls, build: Instance, launches: Iterable[Instance] = ()) -> Self:
        """`launches`: those that need any machine image."""
        wish, image, described = build.specification, build.stored_image, Description.of(build, CLOCK.now())
        doing = described.doing if build.error is None else cause(build.error)
        state = MachineImageState.BUILDING if build.error is None else MachineImageState.FAILED
        if image is not None:
            state = MachineImageState.AVAILABLE if image.retired_at is None else MachineImageState.RETIRED
            doing = image.reason or _not_warmed(image.not_warmed_because)
        return cls(
            id=image and image.id,
            build=build.id,
            state=state,
            organization_id=wish.organization_id,
            provider=wish.provider,
            zone=image.zone if image else build.zone,
            instance_type=image.instance_type if image else next(iter(wish.instance_types), None),
            vllm_image=image.vllm_image if image else wish.image,
            model=(image.model if image else wish.model) or None,
            commit=image.commit if image else build.findings.commit,
            vllm_args=[*wish.vllm_args],
            warmed=image and image.warmed,
            size_gb=image and image.size_gb,
            monthly_price=image and image.monthly_price,
            currency=image and image.currency,
            created_at=image.stored_at if image else build.created_at,
            progress_percent=build.progress_percent,
            doing=doing,
            in_use_by=[_user(each) for each in launches if image and image.id in each.needed_images],
        )


def _user(launch: Instance) -> ImageUser:
    wish = launch.specification
    return ImageUser(id=launch.id, name=wish.name, organization_id=wish.organization_id)


def _not_warmed(reason: str | None) -> str:
    return f"without what vLLM compiles: {reason}" if reason else ""


class MachineImagesView(BaseModel):
    """Newest first."""

    model_config = ConfigDict(frozen=True)
    items: list[MachineImageView]
    next_cursor: None = None


@post(
    "/machine-images",
    status_code=202,
    summary="Make a machine image",
    description="On a machine of its own, which is released afterwards; follow it at /instances/{build}/events.",
    responses=refusals({Kind.NOT_FOUND: "The organisation has been deleted", Kind.FAILED: "The hub refuses our token"}),
)
async def build_machine_image(
    *,
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[MachineImageBody],
    builds: Provided[ImageBuilds],
    access: Provided[AccessCache],
    traceparent: TraceParent = None,
) -> MachineImageView:
    organization = await organization_for(data.organization, request.auth, access)
    return MachineImageView.of(await builds.begin(data, organization, caller(request, traceparent)))


@get(
    "/machine-images",
    summary="List machine images and their builds, newest first",
    response_headers=[header("Last-Event-ID", "How much of the event stream the list is made of at least")],
    description="Without those that are deleted or were terminated before they were stored. The header Last-Event-ID "
    "says how much of the event stream they are made of at least: /events resumes behind it with no gap.",
)
async def list_machine_images(
    instances: Provided[InstanceRepository], read_model: Provided[ReadModelRepository], feed: Provided[Feed]
) -> Response[MachineImagesView]:
    seen = await feed.place_of(await read_model.reached())
    builds, launches = await instances.builds(), await instances.launches_from_images()
    listed = MachineImagesView(items=[MachineImageView.of(build, launches) for build in builds])
    return Response(listed, headers={"Last-Event-ID": str(seen)})


@delete(
    "/machine-images/{image_id:str}",
    status_code=202,
    summary="Delete a machine image",
    description="No launch chooses it from now on. It is deleted within minutes, or once no launch needs it that has "
    "chosen it before.",
    responses=refusals({Kind.NOT_FOUND: "There is no such machine image"}),
)
async def delete_machine_image(
    request: Request[Actor, ApiKey, Any],
    image_id: FromPath[str],
    instances: Provided[InstanceRepository],
    builds: Provided[ImageBuilds],
) -> MachineImageView:
    for build in await instances.builds():
        if build.stored_image is not None and build.stored_image.id == image_id:
            retired = await builds.retire(build.id, image_id, caller(request, None))
            return MachineImageView.of(retired, await instances.launches_from_images())
    raise MachineImageUnknown(f"There is no machine image {image_id!r}. GET /machine-images lists them.")


ROUTES: Final = (list_machine_images, build_machine_image, delete_machine_image)
