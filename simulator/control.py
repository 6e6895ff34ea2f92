"""The simulator's own API under `/_simulator`, with which tests and demos look at the account and change it.

It needs no key: it listens on loopback only, and the account is worth nothing.
"""

from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from simulator.cloud.catalog import BOOT_VOLUME_BYTES
from simulator.cloud.gate import Cloud
from simulator.cloud.resources import Image, Ip, SecurityGroup, Server, ServerState, Snapshot, Volume
from simulator.scenario import Frozen, Scenario

Json = dict[str, Any]
Model = TypeVar("Model", bound=BaseModel)


class NewVolume(Frozen):
    zone: str
    name: str = "made in the console"
    tags: tuple[str, ...] = ()
    size: int = BOOT_VOLUME_BYTES


class Control:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._account = cloud.account

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_simulator/account", self.account),
            web.get("/_simulator/scenario", self.scenario),
            web.put("/_simulator/scenario", self.set_default),
            web.put("/_simulator/scenarios/{tag:.+}", self.set_for_tag),
            web.post("/_simulator/servers/{server_id}/kill", self.kill),
            web.post("/_simulator/servers/{server_id}/stop", self.stop),
            web.post("/_simulator/servers/{server_id}/start", self.start),
            web.post("/_simulator/servers/{server_id}/readdress", self.readdress),
            web.post("/_simulator/servers/{server_id}/attach", self.attach),
            web.post("/_simulator/servers/{server_id}/ungroup", self.ungroup),
            web.post("/_simulator/volumes", self.make_volume),
            web.post("/_simulator/pause", self.pause),
            web.post("/_simulator/resume", self.resume),
        ]

    async def account(self, _request: web.Request) -> web.Response:
        """Everything that ever existed, and under `remaining` the ids of what still exists and would be paid for."""
        account = self._account
        remaining = {
            "servers": [server.id for server in account.servers()],
            "block_volumes": [volume.id for volume in account.volumes(block=True)],
            "local_volumes": [volume.id for volume in account.volumes(block=False)],
            "snapshots": [snapshot.id for snapshot in account.snapshots()],
            "images": [image.id for image in account.images()],
            "ips": [ip.id for ip in account.flexible_ips()],
            "security_groups": [group.id for group in account.security_groups() if not group.project_default],
        }
        return web.json_response(
            {
                "remaining": remaining,
                "servers": [_server(server) for server in account.all_servers.values()],
                "volumes": [_volume(volume) for volume in account.all_volumes.values()],
                "snapshots": [_snapshot(snapshot) for snapshot in account.all_snapshots.values()],
                "images": [_image(image) for image in account.all_images.values()],
                "snapshots_hourly_price": sum(snapshot.hourly_price for snapshot in account.snapshots()),
                "ips": [_ip(ip) for ip in account.all_ips.values()],
                "security_groups": [_group(group) for group in account.all_security_groups.values()],
            }
        )

    async def scenario(self, _request: web.Request) -> web.Response:
        return _shown(self._cloud.scenarios.default.scenario)

    async def set_default(self, request: web.Request) -> web.Response:
        scenario = await _read(request)
        self._cloud.scenarios.set_default(scenario)
        return _shown(scenario)

    async def set_for_tag(self, request: web.Request) -> web.Response:
        scenario = await _read(request)
        self._cloud.scenarios.set_for(request.match_info["tag"], scenario)
        return _shown(scenario)

    async def kill(self, request: web.Request) -> web.Response:
        """Delete the server in any state, as somebody may in the console."""
        server = self._living(request)
        server.note("killed")
        self._cloud.machines.delete(server)
        return web.json_response(_server(server))

    async def stop(self, request: web.Request) -> web.Response:
        """Stop the server, as the provider itself may; answers once it is stopped."""
        server = self._living(request)
        await self._cloud.machines.stop_at_once(server)
        return web.json_response(_server(server))

    async def start(self, request: web.Request) -> web.Response:
        """Start a stopped server, as somebody may in the console; answers once it has booted."""
        server = self._living(request)
        if server.state is not ServerState.STOPPED or not server.volumes:
            raise web.HTTPConflict(text="only a stopped server with its boot volume can be started")
        await self._cloud.machines.start_at_once(server)
        return web.json_response(_server(server))

    async def readdress(self, request: web.Request) -> web.Response:
        """Give a running server another dynamic address; answers once its host listens there."""
        server = self._living(request)
        if server.state is not ServerState.RUNNING or not all(ip.dynamic for ip in server.ips):
            raise web.HTTPConflict(text="only a running server without a flexible address can be readdressed")
        await self._cloud.machines.readdress(server)
        return web.json_response(_server(server))

    async def attach(self, request: web.Request) -> web.Response:
        """Attach a new block volume, as somebody may in the console; answers with the volume."""
        server = self._living(request)
        if not server.volumes:
            raise web.HTTPConflict(text="its boot volume is not made yet")
        volume = Volume(
            name="attached in the console", zone=server.zone, size=BOOT_VOLUME_BYTES, block=True, server_id=server.id
        )
        self._account.add_volume(volume)
        server.volumes.append(volume)
        server.note("volume attached")
        return web.json_response(_volume(volume))

    async def ungroup(self, request: web.Request) -> web.Response:
        """Move the server into its zone's default security group, as somebody may in the console."""
        server = self._living(request)
        server.security_group = self._account.default_security_group(server.zone)
        server.note("moved to the default security group")
        return web.json_response(_server(server))

    async def make_volume(self, request: web.Request) -> web.Response:
        """Make a block volume that is attached to nothing, with any tags. The API itself makes none."""
        wanted = _valid(NewVolume, await request.read())
        if wanted.zone not in self._account.zones:
            raise web.HTTPUnprocessableEntity(text="no such zone")
        volume = Volume(
            name=wanted.name, zone=wanted.zone, size=wanted.size, block=True, server_id=None, tags=wanted.tags
        )
        self._account.add_volume(volume)
        return web.json_response(_volume(volume))

    async def pause(self, _request: web.Request) -> web.Response:
        self._cloud.paused = True
        return web.json_response({"paused": True})

    async def resume(self, _request: web.Request) -> web.Response:
        self._cloud.paused = False
        return web.json_response({"paused": False})

    def _living(self, request: web.Request) -> Server:
        server = self._account.all_servers.get(request.match_info["server_id"])
        if server is None or server.deleted_at is not None:
            raise web.HTTPNotFound(text="no such server")
        return server


async def _read(request: web.Request) -> Scenario:
    return _valid(Scenario, await request.read())


def _valid(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as wrong:
        raise web.HTTPUnprocessableEntity(
            text=wrong.json(include_url=False), content_type="application/json"
        ) from wrong


def _shown(scenario: Scenario) -> web.Response:
    return web.json_response({"scenario": scenario.model_dump(mode="json"), "launch_seconds": scenario.launch_seconds})


def _server(server: Server) -> Json:
    return {
        "id": server.id,
        "name": server.name,
        "zone": server.zone,
        "commercial_type": server.type.name,
        "tags": list(server.tags),
        "state": server.state.value,
        "address": server.ips[0].address if server.ips else None,
        "volumes": [volume.id for volume in server.volumes],
        "security_group": server.security_group.id,
        "power_ons": sum(1 for moment in server.history if moment.what == "poweron"),
        "history": [{"at": moment.at.isoformat(), "what": moment.what} for moment in server.history],
        "deleted_at": _date(server.deleted_at),
    }


def _volume(volume: Volume) -> Json:
    return {
        "id": volume.id,
        "name": volume.name,
        "zone": volume.zone,
        "kind": "block" if volume.block else "scratch" if volume.scratch else "local",
        "size": volume.size,
        "tags": list(volume.tags),
        "status": volume.status.value,
        "server_id": volume.server_id,
        "deleted_at": _date(volume.deleted_at),
    }


def _snapshot(snapshot: Snapshot) -> Json:
    """`hourly_price` in euros."""
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "zone": snapshot.zone,
        "size": snapshot.size,
        "volume_id": snapshot.volume_id,
        "tags": list(snapshot.tags),
        "status": snapshot.status.value,
        "image_id": snapshot.image_id,
        "hourly_price": snapshot.hourly_price,
        "deleted_at": _date(snapshot.deleted_at),
    }


def _image(image: Image) -> Json:
    return {
        "id": image.id,
        "name": image.name,
        "zone": image.zone,
        "snapshot_id": image.snapshot_id,
        "tags": list(image.tags),
        "state": image.state.value,
        "deleted_at": _date(image.deleted_at),
    }


def _ip(ip: Ip) -> Json:
    return {
        "id": ip.id,
        "address": ip.address,
        "zone": ip.zone,
        "dynamic": ip.dynamic,
        "tags": list(ip.tags),
        "server_id": ip.server_id,
        "deleted_at": _date(ip.deleted_at),
    }


def _group(group: SecurityGroup) -> Json:
    return {
        "id": group.id,
        "name": group.name,
        "zone": group.zone,
        "tags": list(group.tags),
        "default": group.project_default,
        "rules": [
            {"protocol": rule.protocol, "direction": rule.direction, "action": rule.action, "port": rule.dest_port_from}
            for rule in group.rules
            if rule.editable
        ],
        "deleted_at": _date(group.deleted_at),
    }


def _date(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
