"""`/webhooks`: addresses outside that get events as they happen."""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Request, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from services.api.access.api_keys import ApiKey, ModelName, Role
from services.api.catalogue.access_cache import AccessCache
from services.api.control.authorization import MEMBERS
from services.api.control.dependencies import Provided
from services.api.control.openapi.answers import refusals
from services.api.control.pages import Cursor, Limit, Page, page, position
from services.api.feed.feed import Feed
from services.api.refusals import FieldError, Kind, Refused, invalid
from services.api.tenancy.organizations import Organization, Slug
from services.api.tenancy.ownership import organization_for, organization_named, whose
from services.api.webhooks.errors import StreamUnreadable, TooManyWebhooks, WebhookOff, WebhookUnknown
from services.api.webhooks.repository import OwnerGone, WebhookRepository
from services.api.webhooks.secrets import WebhookSecrets
from services.api.webhooks.webhooks import Delivery, DeliveryState, Webhook, WebhookState
from shared.actor import Actor
from shared.bus.reader import ReadingInterrupted
from shared.clock import CLOCK
from shared.deployments.events import DEPLOYMENT_EVENTS
from shared.lifecycle.events import EVENTS
from shared.plain_text import VISIBLE
from shared.webhooks import NOTICES

MOST: Final = 50
"""Webhooks of an organisation, and of the installation."""
FORMER_SECRET: Final = timedelta(hours=24)
"""For how long a rotated secret still counts."""
WEBHOOK_TYPES: Final = frozenset((*EVENTS, *DEPLOYMENT_EVENTS, *NOTICES))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _read(value: Any) -> Any:
    """JSON has no times. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("has to be a time with its offset, such as 2026-01-31T09:30:00Z") from None


Time = Annotated[AwareDatetime, BeforeValidator(_read)]
Url = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=2000)]
EventType = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*$", max_length=100)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=200, description="Types of events; null: all.")]
Models = Annotated[list[ModelName], Field(min_length=1, max_length=200, description="Ids of models; null: any.")]
OrganizationFilter = Annotated[
    list[Slug],
    Field(min_length=1, max_length=200, description="Of an installation's webhook: whose events it gets; null: all."),
]
OnlyState = Annotated[
    DeliveryState | None,
    QueryParameter(name="state", description="Only messages in this state."),
]
Description = Annotated[str, Field(min_length=1, max_length=200, pattern=VISIBLE)]


class WebhookBody(BaseModel):
    """Administrators name the owner by `organization`, null for the installation; for others it is their own."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://example.com/coldstart"},
                {
                    "url": "https://example.com/coldstart",
                    "description": "Pages whoever is on call",
                    "events": ["ProvisioningFailed", "StartupFailed", "HealthLost"],
                },
            ]
        },
    )
    url: Url
    description: Description | None = None
    events: EventTypes | None = None
    models: Models | None = None
    organization: Slug | None = None
    organizations: OrganizationFilter | None = None


class WebhookChangeBody(BaseModel):
    """Fields that are not named stay; null removes a filter. Switching it on again forgets its failures."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"enabled": True}, {"events": None}]}
    )
    url: Url = ""
    description: Description | None = None
    events: EventTypes | None = None
    models: Models | None = None
    organizations: OrganizationFilter | None = None
    enabled: bool | None = None


class ReplayBody(BaseModel):
    """One of both. `from_sequence`: the first event's place in the stream; `from_time`: when it was recorded."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"from_sequence": 1}, {"from_time": "2026-01-31T09:30:00Z"}]},
    )
    from_sequence: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    from_time: Time | None = None


class WebhookView(WebhookState):
    """`organization` is the slug of its owner; `organizations` are those whose events it gets, null: any."""

    organization: str | None
    organizations: list[str] | None

    @classmethod
    def shown(cls, webhook: Webhook, access: AccessCache, **more: Any) -> Self:
        known, slugs = access.organizations, None
        owner = known.identified(webhook.organization_id)
        if webhook.organizations is not None:
            slugs = [one.slug for one in map(known.identified, webhook.organizations) if one]
        fields = {name: getattr(webhook, name) for name in WebhookState.model_fields}
        return cls(**fields, organization=owner.slug if owner else None, organizations=slugs, **more)


class WebhookWithSecret(WebhookView):
    """`secret` verifies its messages; only this answer contains it."""

    secret: str = Field(repr=False)


class WebhookList(BaseModel):
    """All webhooks: they are too few for pages."""

    model_config = ConfigDict(frozen=True)
    items: list[WebhookView]
    next_cursor: None = None


class Replay(BaseModel):
    """The events from the first to the last of these places in the stream are sent again, as its filters let them."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    from_sequence: int
    through_sequence: int


@get("/webhooks", opt=MEMBERS, summary="List the webhooks, newest first; a user's key sees its organisation's")
async def list_webhooks(
    request: Request[Actor, ApiKey, Any],
    webhooks: Provided[WebhookRepository],
    access: Provided[AccessCache],
    organization: Annotated[Slug | None, QueryParameter(description="Its webhooks only (a slug).")] = None,
) -> WebhookList:
    found = await webhooks.all(whose(organization, request.auth, access))
    return WebhookList(items=[WebhookView.shown(one, access) for one in found])


@post(
    "/webhooks",
    opt=MEMBERS,
    status_code=201,
    summary="Have events sent to an address; the answer has the secret, this once",
    responses=refusals({Kind.CONFLICT: "There are too many webhooks"}),
    description="It gets what is recorded from now on. Each message is signed as the Standard Webhooks specification "
    "says.",
)
async def add_webhook(
    *,
    request: Request[Actor, ApiKey, Any],
    data: JSONBody[WebhookBody],
    webhooks: Provided[WebhookRepository],
    secrets: Provided[WebhookSecrets],
    feed: Provided[Feed],
    access: Provided[AccessCache],
) -> WebhookWithSecret:
    owner = await organization_for(data.organization, request.auth, access)
    owner_id = owner.id if owner else None
    fields = await _checked(data.model_dump(exclude={"organization"}), owner_id, access)
    if await webhooks.count(owner_id) >= MOST:
        whose_they_are = owner.slug if owner else "The installation"
        raise TooManyWebhooks(f"{whose_they_are} has {MOST} webhooks already; delete one first.")
    try:
        described = {**fields, "description": fields["description"] or ""}
        made = await webhooks.add(owner_id, described, feed.position, by=request.user)
    except OwnerGone:
        detail = f"the organisation {data.organization!r} has just been deleted."
        raise invalid(FieldError(pointer="/organization", detail=detail)) from None
    return WebhookWithSecret.shown(made, access, secret=secrets.of(made))


@get("/webhooks/{webhook_id:str}", opt=MEMBERS, summary="Show a webhook")
async def show_webhook(
    request: Request[Actor, ApiKey, Any],
    webhook_id: FromPath[str],
    webhooks: Provided[WebhookRepository],
    access: Provided[AccessCache],
) -> WebhookView:
    return WebhookView.shown(await own_webhook(webhook_id, request.auth, webhooks), access)


@patch("/webhooks/{webhook_id:str}", opt=MEMBERS, summary="Change a webhook, or switch it off or on")
async def change_webhook(
    request: Request[Actor, ApiKey, Any],
    webhook_id: FromPath[str],
    data: JSONBody[WebhookChangeBody],
    webhooks: Provided[WebhookRepository],
    access: Provided[AccessCache],
) -> WebhookView:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    given = data.model_dump(exclude_unset=True, exclude={"enabled"})
    fields = await _checked(given, webhook.organization_id, access)
    if "organizations" in fields and fields["organizations"] is not None:
        fields["organizations"] = [str(one) for one in fields["organizations"]]
    if "description" in fields:
        fields["description"] = fields["description"] or ""
    changed = await webhooks.change(webhook.id, fields, data.enabled, by=request.user)
    if changed is None:
        raise _unknown(webhook_id)
    return WebhookView.shown(changed, access)


@delete("/webhooks/{webhook_id:str}", opt=MEMBERS, summary="Delete a webhook, with what it was yet to get")
async def remove_webhook(
    request: Request[Actor, ApiKey, Any], webhook_id: FromPath[str], webhooks: Provided[WebhookRepository]
) -> None:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    if not await webhooks.remove(webhook, by=request.user):
        raise _unknown(webhook_id)


@post(
    "/webhooks/{webhook_id:str}/rotate-secret",
    opt=MEMBERS,
    status_code=200,
    summary="Make a new secret; the former one counts for another 24 hours",
    description="Until then, each message has a signature of both.",
)
async def rotate_secret(
    request: Request[Actor, ApiKey, Any],
    webhook_id: FromPath[str],
    webhooks: Provided[WebhookRepository],
    secrets: Provided[WebhookSecrets],
    access: Provided[AccessCache],
) -> WebhookWithSecret:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    rotated = await webhooks.rotate(webhook.id, CLOCK.now() + FORMER_SECRET, by=request.user)
    if rotated is None:
        raise _unknown(webhook_id)
    return WebhookWithSecret.shown(rotated, access, secret=secrets.of(rotated))


@post(
    "/webhooks/{webhook_id:str}/test",
    opt=MEMBERS,
    status_code=202,
    summary="Send a test message, once, even to a webhook that is switched off",
    description="What came of it is in GET /webhooks/{webhook_id}/deliveries a moment later.",
)
async def send_test(
    request: Request[Actor, ApiKey, Any], webhook_id: FromPath[str], webhooks: Provided[WebhookRepository]
) -> Delivery:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    try:
        return await webhooks.add_test(webhook, CLOCK.now(), by=request.user)
    except OwnerGone:
        raise _unknown(webhook_id) from None


@post(
    "/webhooks/{webhook_id:str}/replay",
    opt=MEMBERS,
    status_code=202,
    summary="Send past events again, from a place in the stream or a time on",
    description="They go with the ids that they had, in their order, and as the webhook's filters let them pass.",
    responses=refusals({Kind.CONFLICT: "The webhook is switched off"}),
)
async def replay(
    request: Request[Actor, ApiKey, Any],
    webhook_id: FromPath[str],
    data: JSONBody[ReplayBody],
    webhooks: Provided[WebhookRepository],
    feed: Provided[Feed],
) -> Replay:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    if not webhook.enabled:
        raise WebhookOff('Switch it on first: PATCH it with {"enabled": true}.')
    last = feed.position
    after = min(await _after(data, feed), last)
    try:
        replay_id = await webhooks.add_replay(webhook, after=after, through=last, by=request.user)
    except OwnerGone:
        raise _unknown(webhook_id) from None
    return Replay(id=replay_id, from_sequence=after + 1, through_sequence=last)


@get(
    "/webhooks/{webhook_id:str}/deliveries",
    opt=MEMBERS,
    summary="List what was sent to a webhook, or will be, newest first",
)
async def list_deliveries(
    *,
    request: Request[Actor, ApiKey, Any],
    webhook_id: FromPath[str],
    webhooks: Provided[WebhookRepository],
    only: OnlyState = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[Delivery]:
    webhook = await own_webhook(webhook_id, request.auth, webhooks)
    found = await webhooks.deliveries(webhook.id, state=only, after=position(cursor), limit=limit + 1)
    return page(found, limit, lambda last: (last.created_at, last.id))


ROUTES: Final = (
    list_webhooks,
    add_webhook,
    show_webhook,
    change_webhook,
    remove_webhook,
    rotate_secret,
    send_test,
    replay,
    list_deliveries,
)


async def _checked(fields: dict[str, Any], owner_id: UUID | None, access: AccessCache) -> dict[str, Any]:
    """The fields as they are stored, organisations by their ids. Raises Invalid."""
    errors = [*_wrong_url(fields.get("url")), *_wrong_types(fields.get("events"))]
    slugs = fields.get("organizations")
    if slugs is not None and owner_id is not None:
        detail = "an organisation's webhook gets the events of that organisation only; leave this out."
        errors.append(FieldError(pointer="/organizations", detail=detail))
    if errors:
        raise invalid(*errors)
    if slugs is None:
        return fields
    found = [await _organization(slug, at, access) for at, slug in enumerate(slugs)]
    return {**fields, "organizations": sorted({one.id for one in found if one})}


async def _organization(slug: str, at: int, access: AccessCache) -> Organization | None:
    """Raises Invalid."""
    try:
        return await organization_named(slug, access)
    except Refused as refused:
        raise refused.renaming({"/organization": f"/organizations/{at}"}) from None


def _wrong_url(url: str | None) -> list[FieldError]:
    if url is None:
        return []
    try:
        parts = urlsplit(url)
        right = bool(parts.hostname) and parts.port != 0 and parts.username is None and not parts.fragment
    except ValueError:
        right = False
    if right:
        return []
    detail = "is no address of a receiver; it needs a host, and may have neither a user's name nor a fragment."
    return [FieldError(pointer="/url", detail=detail)]


def _wrong_types(types: list[str] | None) -> list[FieldError]:
    errors = []
    for index, kind in enumerate(types or ()):
        if kind not in WEBHOOK_TYPES:
            near = get_close_matches(kind, WEBHOOK_TYPES, n=1)
            meant = f"; did you mean {near[0]}?" if near else "; docs/lifecycle.md lists them."
            errors.append(FieldError(pointer=f"/events/{index}", detail=f"there is no event {kind}{meant}"))
    return errors


async def own_webhook(webhook_id: str, owner: ApiKey, webhooks: WebhookRepository) -> Webhook:
    """The webhook, if this key may manage it. Raises WebhookUnknown."""
    try:
        found = await webhooks.find(UUID(webhook_id))
    except ValueError:
        found = None
    if found is None or not (owner.role is Role.ADMIN or owner.organization_id == found.organization_id):
        raise _unknown(webhook_id)
    return found


async def _after(data: ReplayBody, feed: Feed) -> int:
    """The place behind which the replay begins. Raises Invalid, StreamUnreadable."""
    if (data.from_sequence is None) == (data.from_time is None):
        raise invalid(FieldError(pointer="/from_sequence", detail="give either this or from_time."))
    if data.from_sequence is not None:
        return data.from_sequence - 1
    assert data.from_time is not None  # noqa: S101  one of both is given
    if data.from_time <= _EPOCH:
        return 0
    if data.from_time > CLOCK.now():
        return feed.position
    try:
        before = await feed.before(data.from_time)
    except ReadingInterrupted as interruption:
        raise StreamUnreadable(f"{interruption}; try again.") from None
    return feed.position if before is None else before


def _unknown(webhook_id: str) -> WebhookUnknown:
    return WebhookUnknown(f"No webhook has the id {webhook_id!r}; GET /webhooks lists those of this key.")
