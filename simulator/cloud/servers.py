"""The instance API's servers: create, get, list, update, delete, act."""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from simulator.cloud import errors, render, requests, scratch
from simulator.cloud.catalog import IMAGES, ServerType, quota_name, sold_in
from simulator.cloud.errors import ApiError
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import CreateServer, UpdateServer, only, page_of, read, tags_in
from simulator.cloud.resources import SecurityGroup, Server, ServerState, VolumeStatus
from simulator.scenario import Call

COLLECTION = "/instance/v1/zones/{zone}/servers"
ONE = COLLECTION + "/{server_id}"
FILTERS = frozenset({
    "page", "per_page", "project", "organization", "name", "tags", "state", "commercial_type", "servers",
})  # fmt: skip
TRANSIENT = frozenset({ServerState.STARTING, ServerState.STOPPING})


class Servers:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", COLLECTION, Call.CREATE_SERVER, self.create),
            Endpoint("GET", COLLECTION, Call.LIST_SERVERS, self.list),
            Endpoint("GET", ONE, Call.GET_SERVER, self.get),
            Endpoint("PATCH", ONE, Call.UPDATE_SERVER, self.update),
            Endpoint("DELETE", ONE, Call.DELETE_SERVER, self.delete),
            Endpoint("POST", ONE + "/action", Call.SERVER_ACTION, self.act),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """A stopped server, with its boot volume unless that comes later."""
        zone = request.match_info["zone"]
        wanted = await read(request, CreateServer)
        await asyncio.sleep(self._cloud.scenarios.of(wanted.tags).scenario.create)
        server = self._build(zone, wanted)
        ips = [
            self._account.ip(zone, ip) for ip in dict.fromkeys((*filter(None, [wanted.public_ip]), *wanted.public_ips))
        ]
        for ip in ips:
            if ip.server_id is not None:
                raise errors.still_in_use("the IP is attached to another server")
        for ip in ips:
            ip.server_id = server.id
            server.ips.append(ip)
        if server.image.snapshot is not None:
            await self._cloud.machines.disks.lay(server.image.snapshot, server.id)
        self._account.add_server(server)
        server.scratch = scratch.made(server, wanted.volumes)
        if server.scratch is not None:
            self._account.add_volume(server.scratch)
        server.note("created")
        self._cloud.machines.belated.boot_volume(server)
        self._cloud.machines.belated.tags(server)
        return web.json_response({"server": render.server(self._account, server)}, status=201)

    async def list(self, request: web.Request) -> web.Response:
        only(request, FILTERS)
        page = page_of(request, "per_page")
        found = [
            server for server in self._account.servers(request.match_info["zone"]) if self._matches(request, server)
        ]
        found.sort(key=lambda server: server.created_at, reverse=True)
        shown = [render.server(self._account, server, listed=True) for server in found[page]]
        return web.json_response({"servers": shown}, headers={"X-Total-Count": str(len(found))})

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({"server": render.server(self._account, self._named(request))})

    async def update(self, request: web.Request) -> web.Response:
        server = self._named(request)
        change = await read(request, UpdateServer)
        if change.security_group is not None:
            server.security_group = self._account.security_group(server.zone, change.security_group.id)
        server.name = change.name or server.name
        if change.protected is not None:
            server.protected = change.protected
        if change.dynamic_ip_required is not None:
            server.dynamic_ip_required = change.dynamic_ip_required
        if change.tags is not None and change.tags != server.tags:
            server.tags = change.tags
            self._cloud.machines.belated.tags(server)
        server.note("updated")
        return web.json_response({"server": render.server(self._account, server)})

    async def delete(self, request: web.Request) -> web.Response:
        self._deletable(request)
        await asyncio.sleep(self._cloud.scenario_of(self._named(request)).delete)
        self._cloud.machines.delete(self._deletable(request))
        return web.Response(status=204)

    async def act(self, request: web.Request) -> web.Response:
        """Begin an action. 409 while another is under way, 412 in the wrong steady state, 400 if protected."""
        server = self._named(request)
        action = (await read(request, requests.Action)).action
        if server.state in TRANSIENT:
            raise errors.transient_state("instance_server", server.id, server.state)
        if action == "poweron":
            self._power_on(server)
        elif server.state is not ServerState.RUNNING:
            raise errors.wrong_state("server should be running")
        elif server.protected:
            raise errors.protected()
        elif action == "poweroff":
            self._cloud.machines.power_off(server)
        else:
            self._cloud.machines.terminate(server)
        return web.json_response({"task": render.task(action, server)}, status=202)

    def _power_on(self, server: Server) -> None:
        if server.state is not ServerState.STOPPED:
            raise errors.wrong_state("server should be stopped")
        if not server.volumes:
            raise errors.transient_state("instance_server", server.id, "provisioning")
        for volume in server.volumes:
            if volume.status is VolumeStatus.UPDATING:
                raise errors.transient_state("instance_volume", volume.id, volume.status)
        self._cloud.machines.power_on(server)

    def _deletable(self, request: web.Request) -> Server:
        """A protected server, too: the vendor answers 204."""
        server = self._named(request)
        if server.state is not ServerState.STOPPED:
            raise errors.still_in_use("instance should be powered off")
        return server

    def _check_quota(self, zone: str, name: str) -> None:
        quota = self._cloud.scenarios.default.scenario.quotas.get(name)
        current = sum(1 for server in self._account.servers(zone) if server.type.name == name)
        if quota is not None and current >= quota:
            raise errors.quotas_exceeded(quota_name(name), quota=quota, current=current)

    def _build(self, zone: str, wanted: CreateServer) -> Server:
        server_type = sold_in(zone).get(wanted.commercial_type)
        if server_type is None:
            raise errors.invalid_argument(
                "commercial_type", "constraint", f"{wanted.commercial_type} is not sold in {zone}"
            )
        image = self._account.bootable(wanted.image, zone, server_type)
        if image is None:
            raise self._no_image(wanted.image, zone, server_type)
        scratch.check(server_type, wanted.volumes)
        self._check_project(wanted.project)
        count = sum(1 for _ in self._account.servers())
        if count >= self._account.server_quota:
            raise errors.quotas_exceeded(server_type.name, quota=self._account.server_quota, current=count)
        self._check_quota(zone, server_type.name)
        return Server(
            name=wanted.name,
            zone=zone,
            type=server_type,
            image=image,
            security_group=self._group(zone, wanted.security_group),
            dynamic_ip_required=wanted.dynamic_ip_required,
            protected=wanted.protected,
            tags=wanted.tags,
            mac_address=_mac_address(len(self._account.all_servers)),
        )

    def _group(self, zone: str, group_id: str | None) -> SecurityGroup:
        if group_id is None:
            return self._account.default_security_group(zone)
        return self._account.security_group(zone, group_id)

    def _check_project(self, project: str | None) -> None:
        if project is not None and project != self._account.project_id:
            raise errors.permissions_denied("instance_server", "write")

    def _no_image(self, wanted: str, zone: str, server_type: ServerType) -> ApiError:
        known = {name for image in IMAGES for name in (image.label, image.id_in(zone))}
        if wanted not in known | {image.id for image in self._account.images(zone)}:
            return errors.not_found("instance_image", wanted)
        return errors.invalid_argument("image", "constraint", f"{wanted} does not boot {server_type.name}")

    def _named(self, request: web.Request) -> Server:
        return self._account.server(request.match_info["zone"], request.match_info["server_id"])

    def _matches(self, request: web.Request, server: Server) -> bool:
        query = request.query
        return (
            tags_in(request) <= set(server.listed_tags)
            and query.get("name", "") in server.name
            and query.get("state", server.state) == server.state
            and query.get("commercial_type", server.type.name) == server.type.name
            and query.get("project", self._account.project_id) == self._account.project_id
            and query.get("organization", self._account.organization_id) == self._account.organization_id
            and _among(query.get("servers", ""), server.id)
        )


def _among(ids: str, server_id: str) -> bool:
    return not ids or server_id in ids.split(",")


def _mac_address(number: int) -> str:
    octets: Iterable[int] = number.to_bytes(4, "big")
    return "de:00:" + ":".join(f"{octet:02x}" for octet in octets)
