"""What comes before every call: the pause, the key, the zone, and the failures that a scenario asks for."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import BasicAuth, web

from simulator.cloud import errors
from simulator.cloud.account import Account
from simulator.cloud.catalog import SERVER_TYPES, quota_name
from simulator.cloud.errors import ApiError
from simulator.cloud.failures import ACTIONS, Scenarios
from simulator.cloud.machines import Machines
from simulator.cloud.requests import CreateServer, read, tags_in
from simulator.cloud.resources import Image, Ip, SecurityGroup, Server, Snapshot, boot_volume
from simulator.cloud.scratch import scratch_volume
from simulator.scenario import Call, Error, Failure, Scenario
from simulator.settings import SimulatorSettings

Handler = Callable[[web.Request], Awaitable[web.Response]]

UNANSWERED = frozenset({Error.TIMEOUT_BEFORE, Error.TIMEOUT_AFTER, Error.RESET_BEFORE, Error.RESET_AFTER})
AFTERWARDS = frozenset({Error.TIMEOUT_AFTER, Error.RESET_AFTER, Error.INTERNAL_AFTER})
HANGING = frozenset({Error.TIMEOUT_BEFORE, Error.TIMEOUT_AFTER})


@dataclass(frozen=True)
class Subject:
    """What a scenario can match of a call; `caller` is the user name in its client's URL."""

    call: Call
    resource: str
    resource_id: str = ""
    tags: tuple[str, ...] = ()
    zone: str | None = None
    instance_type: str | None = None
    caller: str = ""


class Moment(StrEnum):
    """A call has arrived and done nothing yet, or has done its work and is not answered yet."""

    ARRIVED = "arrived"
    DONE = "done"


OnCall = Callable[[Subject, Moment], Awaitable[None]]
"""The call waits at that moment until this returns."""


@dataclass
class Cloud:
    """One account's cloud and its switches."""

    settings: SimulatorSettings
    account: Account
    scenarios: Scenarios
    machines: Machines
    paused: bool = False
    on_call: OnCall | None = None

    def scenario_of(self, server: Server) -> Scenario:
        return self.scenarios.of(server.tags).scenario


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    call: Call
    handler: Handler
    public: bool = False
    """No key is needed: price lists and images."""


def guarded(cloud: Cloud, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The endpoint's handler, behind these checks."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            _admit(cloud, endpoint, request)
            return await _answer(cloud, endpoint, request)
        except ApiError as refusal:
            return response_of(refusal)

    return handle


def response_of(refusal: ApiError) -> web.Response:
    if isinstance(refusal.body, str):
        return web.Response(status=refusal.status, text=refusal.body, content_type="text/html", headers=refusal.headers)
    told = f"{refusal.body.get('message', '')} (the simulated cloud)".strip()
    return web.json_response({**refusal.body, "message": told}, status=refusal.status, headers=refusal.headers)


def _admit(cloud: Cloud, endpoint: Endpoint, request: web.Request) -> None:
    if cloud.paused:
        raise errors.unavailable()
    token = request.headers.get("X-Auth-Token", "")
    if not endpoint.public and not hmac.compare_digest(
        token.encode(), cloud.settings.secret_key.get_secret_value().encode()
    ):
        raise errors.denied_authentication()
    zone = request.match_info.get("zone")
    if zone is not None and zone not in cloud.account.zones:
        raise errors.invalid_argument("zone", "constraint", f"one of {', '.join(cloud.account.zones)}")


async def _answer(cloud: Cloud, endpoint: Endpoint, request: web.Request) -> web.StreamResponse:
    subject = await _subject(cloud, endpoint.call, request)
    if cloud.on_call is not None:
        await cloud.on_call(subject, Moment.ARRIVED)
        try:
            return await _handle_or_fail(cloud, endpoint, request, subject)
        finally:
            await cloud.on_call(subject, Moment.DONE)
    return await _handle_or_fail(cloud, endpoint, request, subject)


async def _handle_or_fail(
    cloud: Cloud, endpoint: Endpoint, request: web.Request, subject: Subject
) -> web.StreamResponse:
    active = cloud.scenarios.of(subject.tags)
    failure = active.fails(subject.call, zone=subject.zone, instance_type=subject.instance_type)
    if failure is None:
        return await endpoint.handler(request)
    error = failure.error
    if error in AFTERWARDS:
        await endpoint.handler(request)
    if error is Error.OUT_OF_STOCK and active.scenario.out_of_stock_leaves_volume:
        await _leave_volume(cloud, request, subject)
    if error in UNANSWERED:
        return await _never_answer(request, active.scenario.hang if error in HANGING else 0.0)
    raise _injected(failure, subject, active.scenario)


async def _leave_volume(cloud: Cloud, request: web.Request, subject: Subject) -> None:
    """What a refused creation may leave: its volumes, untagged and attached to nothing."""
    server_type = SERVER_TYPES.get(subject.instance_type or "")
    if subject.call is Call.CREATE_SERVER and subject.zone is not None and server_type is not None:
        order = await read(request, CreateServer)
        image = cloud.account.bootable(order.image, subject.zone, server_type)
        if image is not None and image.block:
            cloud.account.add_volume(boot_volume(image, subject.zone, None))
            for wanted in order.volumes.values():
                cloud.account.add_volume(scratch_volume(wanted, subject.zone, None))


async def _never_answer(request: web.Request, after: float) -> web.StreamResponse:
    """Drop the connection. The response that it returns is never sent."""
    await asyncio.sleep(after)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


async def _subject(cloud: Cloud, call: Call, request: web.Request) -> Subject:
    zone = request.match_info.get("zone")
    resource = f"instance_{call.value.partition('_')[2]}"
    server = _server_named(cloud.account, request)
    body = await _json_object(request)
    if call is Call.SERVER_ACTION and body.get("action") in ACTIONS:
        call = Call(str(body["action"]))
    caller = _caller(request)
    if server is not None:
        return Subject(call, "instance_server", server.id, server.tags, zone, server.type.name, caller)
    tagged = _tagged_in_path(cloud.account, request)
    given = tagged.tags if tagged is not None else body.get("tags")
    tags = given if isinstance(given, list | tuple) else tags_in(request)
    return Subject(
        call,
        resource,
        tags=tuple(str(tag) for tag in tags),
        zone=zone or request.query.get("zone"),
        instance_type=str(body["commercial_type"]) if "commercial_type" in body else None,
        caller=caller,
    )


def _tagged_in_path(account: Account, request: web.Request) -> SecurityGroup | Ip | Snapshot | Image | None:
    path = request.match_info
    return (
        account.all_security_groups.get(path.get("group_id", ""))
        or account.all_ips.get(path.get("ip", ""))
        or account.all_snapshots.get(path.get("snapshot_id", ""))
        or account.all_images.get(path.get("image_id", ""))
    )


def _caller(request: web.Request) -> str:
    """All processes share one key; in a test, this name tells them apart."""
    try:
        return str(BasicAuth.decode(request.headers.get("Authorization", "")).login)
    except ValueError:
        return ""


def _server_named(account: Account, request: web.Request) -> Server | None:
    """The server in the path, or the server of the volume in the path; it may be deleted."""
    if (server_id := request.match_info.get("server_id")) is not None:
        return account.all_servers.get(server_id)
    if (volume_id := request.match_info.get("volume_id")) is not None:
        for server in account.all_servers.values():
            if any(volume.id == volume_id for volume in server.volumes):
                return server
    return None


async def _json_object(request: web.Request) -> dict[str, object]:
    """The body if it is a JSON object, else {}: user data may be any bytes."""
    if "json" not in request.headers.get("Content-Type", "json"):
        return {}
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError as malformed:
        raise errors.invalid_argument("body", "format", "not JSON") from malformed
    return body if isinstance(body, dict) else {}


def _quota_of(subject: Subject) -> str:
    """The name of a quota as Scaleway writes it."""
    if subject.instance_type is None:
        return subject.resource
    return quota_name(subject.instance_type)


def _injected(failure: Failure, subject: Subject, scenario: Scenario) -> ApiError:  # noqa: C901, PLR0911, PLR0912 - a match over every error is one idea
    match failure.error:
        case Error.OUT_OF_STOCK:
            return errors.out_of_stock(subject.instance_type or subject.resource)
        case Error.QUOTAS_EXCEEDED:
            return errors.quotas_exceeded(_quota_of(subject), quota=failure.quota, current=failure.quota)
        case Error.TRANSIENT_STATE:
            return errors.transient_state(subject.resource, subject.resource_id, "transient")
        case Error.TOO_MANY_REQUESTS:
            return errors.too_many_requests(scenario.retry_after, as_date=scenario.retry_after_is_a_date)
        case Error.PERMISSIONS_DENIED:
            return errors.permissions_denied(subject.resource, "write")
        case Error.DENIED_AUTHENTICATION:
            return errors.denied_authentication()
        case Error.INVALID_ARGUMENTS:
            return errors.invalid_argument(failure.argument, "unknown", "refused by the scenario")
        case Error.NOT_FOUND:
            return errors.not_found(subject.resource, subject.resource_id)
        case Error.BAD_GATEWAY:
            return errors.bad_gateway()
        case Error.UNAVAILABLE:
            return errors.unavailable()
        case Error.INTERNAL | Error.INTERNAL_AFTER:
            return errors.internal()
        case Error.TIMEOUT_BEFORE | Error.TIMEOUT_AFTER | Error.RESET_BEFORE | Error.RESET_AFTER:
            raise AssertionError("these are never answered")
