"""Request bodies and queries. Whatever is not modelled is refused, never ignored."""

from collections.abc import Collection
from typing import Annotated, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from simulator.cloud.errors import ApiError, invalid_argument, invalid_arguments

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Policy = Literal["accept", "drop"]
DEFAULT_PAGE = 50
LARGEST_PAGE = 100


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScratchVolume(Body):
    """The only volume that a creation may have beside the image's; the SDK sends `boot` with each."""

    volume_type: Literal["scratch"]
    name: Name
    size: Annotated[int, Field(gt=0)]
    boot: Literal[False] = False


class CreateServer(Body):
    commercial_type: str
    name: Name
    image: str
    tags: tuple[Name, ...] = ()
    project: str | None = None
    organization: str | None = None
    security_group: str | None = None
    dynamic_ip_required: bool = True
    public_ip: str | None = None
    public_ips: tuple[str, ...] = ()
    protected: bool = False
    volumes: dict[str, ScratchVolume] = {}
    boot_type: Literal["local"] = "local"
    routed_ip_enabled: Literal[True] = True
    enable_ipv6: Literal[False] = False


class GroupReference(Body):
    id: str
    name: str | None = None


class UpdateServer(Body):
    name: Name | None = None
    tags: tuple[Name, ...] | None = None
    security_group: GroupReference | None = None
    dynamic_ip_required: bool | None = None
    protected: bool | None = None


class Action(Body):
    action: Literal["poweron", "poweroff", "terminate"] = "poweron"


class CreateSecurityGroup(Body):
    name: Name
    description: str = ""
    tags: tuple[Name, ...] = ()
    project: str | None = None
    organization: str | None = None
    stateful: bool = True
    inbound_default_policy: Policy = "accept"
    outbound_default_policy: Policy = "accept"
    enable_default_security: bool = True
    project_default: Literal[False] = False


class UpdateSecurityGroup(Body):
    name: Name | None = None
    description: str | None = None
    tags: tuple[Name, ...] | None = None
    stateful: bool | None = None
    inbound_default_policy: Policy | None = None
    outbound_default_policy: Policy | None = None
    enable_default_security: bool | None = None


class WriteRule(Body):
    """One rule, to be added or to be part of a whole new set."""

    protocol: Literal["TCP", "UDP", "ICMP", "ANY"]
    direction: Literal["inbound", "outbound"]
    action: Policy
    ip_range: str = "0.0.0.0/0"
    dest_port_from: Annotated[int, Field(ge=0, le=65_535)] | None = None
    dest_port_to: Annotated[int, Field(ge=0, le=65_535)] | None = None
    position: Annotated[int, Field(ge=0)] = 0
    editable: bool | None = None
    id: str | None = None
    zone: str | None = None


class WriteRules(Body):
    rules: tuple[WriteRule, ...]


class CreateIp(Body):
    project: str | None = None
    organization: str | None = None
    tags: tuple[Name, ...] = ()
    server: str | None = None
    type: Literal["routed_ipv4"] = "routed_ipv4"


class UpdateIp(Body):
    tags: tuple[Name, ...] | None = None
    server: str | None = None


class CreateSnapshot(Body):
    volume_id: str
    name: Name
    project_id: str | None = None
    tags: tuple[Name, ...] = ()
    public: Literal[False] = False


class UpdateSnapshot(Body):
    name: Name | None = None
    tags: tuple[Name, ...] | None = None


class CreateImage(Body):
    name: Name
    root_volume: str
    arch: Literal["x86_64"]
    project: str | None = None
    organization: str | None = None
    tags: tuple[Name, ...] = ()
    public: Literal[False] = False
    extra_volumes: dict[str, object] = Field(default={}, max_length=0)


class UpdateVolume(Body):
    name: Name | None = None
    size: Annotated[int, Field(gt=0)] | None = None
    tags: tuple[Name, ...] | None = None


B = TypeVar("B", bound=Body)


async def read(request: web.Request, body: type[B]) -> B:
    """The request's JSON as this type. Raises ApiError naming every argument that is wrong or not modelled."""
    try:
        return body.model_validate_json(await request.read() or b"{}")
    except ValidationError as wrong:
        raise _refused(wrong) from wrong


def only(request: web.Request, allowed: Collection[str]) -> None:
    """Raises ApiError for any filter that is not modelled."""
    for name in request.query:
        if name not in allowed:
            raise invalid_argument(name, "unknown", "the simulator does not model this filter")


def tags_in(request: web.Request) -> set[str]:
    """Comma separated (instance API) or repeated (block API)."""
    return {tag for value in request.query.getall("tags", []) for tag in value.split(",") if tag}


def page_of(request: web.Request, size_name: str) -> slice:
    """The slice of the whole list that is the wanted page. Pages count from 1; past the end they are empty."""
    number = _positive(request, "page", 1)
    size = _positive(request, size_name, DEFAULT_PAGE)
    if size > LARGEST_PAGE:
        raise invalid_argument(size_name, "constraint", f"at most {LARGEST_PAGE}")
    return slice((number - 1) * size, number * size)


def _positive(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise invalid_argument(name, "constraint", "a positive integer")
    return int(value)


def _refused(wrong: ValidationError) -> ApiError:
    reasons = {"missing": "required", "extra_forbidden": "unknown"}
    return invalid_arguments(
        [
            {
                "argument_name": ".".join(str(part) for part in error["loc"]) or "body",
                "reason": reasons.get(error["type"], "constraint"),
                "help_message": "required key not provided" if error["type"] == "missing" else error["msg"],
            }
            for error in wrong.errors(include_url=False, include_context=False)
        ]
    )
