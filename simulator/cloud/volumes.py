"""Volumes: the instance API's local ones, and the block API's, which outlive their server."""

from aiohttp import web

from simulator.cloud import errors, render
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import UpdateVolume, only, page_of, read, tags_in
from simulator.cloud.resources import Volume, VolumeStatus, now
from simulator.scenario import Call

LOCAL = "/instance/v1/zones/{zone}/volumes"
BLOCK = "/block/v1/zones/{zone}/volumes"
ONE = "/{volume_id}"
LOCAL_FILTERS = frozenset({"page", "per_page", "project", "organization", "name", "tags", "volume_type"})
BLOCK_FILTERS = frozenset({
    "page", "page_size", "project_id", "organization_id", "name", "tags", "include_deleted", "order_by",
    "product_resource_id", "volume_ids",
})  # fmt: skip


class Volumes:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", LOCAL, Call.LIST_LOCAL_VOLUMES, self.list_local),
            Endpoint("GET", LOCAL + ONE, Call.GET_LOCAL_VOLUME, self.get_local),
            Endpoint("DELETE", LOCAL + ONE, Call.DELETE_LOCAL_VOLUME, self.delete_local),
            Endpoint("GET", BLOCK, Call.LIST_VOLUMES, self.list_block),
            Endpoint("GET", BLOCK + ONE, Call.GET_VOLUME, self.get_block),
            Endpoint("PATCH", BLOCK + ONE, Call.UPDATE_VOLUME, self.update_block),
            Endpoint("DELETE", BLOCK + ONE, Call.DELETE_VOLUME, self.delete_block),
        ]

    async def list_local(self, request: web.Request) -> web.Response:
        only(request, LOCAL_FILTERS)
        page = page_of(request, "per_page")
        kind = request.query.get("volume_type")
        found = [each for each in self._found(request, block=False) if kind in (None, render.local_type(each))]
        shown = [render.local_volume(self._account, volume) for volume in found[page]]
        return web.json_response({"volumes": shown}, headers={"X-Total-Count": str(len(found))})

    async def get_local(self, request: web.Request) -> web.Response:
        return web.json_response({"volume": render.local_volume(self._account, self._named(request, block=False))})

    async def delete_local(self, request: web.Request) -> web.Response:
        volume = self._named(request, block=False)
        if volume.server_id is not None:
            raise errors.still_in_use("a server is attached to this volume")
        volume.deleted_at = now()
        return web.Response(status=204)

    async def list_block(self, request: web.Request) -> web.Response:
        only(request, BLOCK_FILTERS)
        page, query = page_of(request, "page_size"), request.query
        holder, ids = query.get("product_resource_id"), query.getall("volume_ids", [])
        found = [
            volume
            for volume in self._found(request, block=True)
            if holder in (None, volume.server_id) and (not ids or volume.id in ids)
        ]
        shown = [render.block_volume(self._account, volume) for volume in found[page]]
        return web.json_response({"volumes": shown, "total_count": len(found)})

    async def get_block(self, request: web.Request) -> web.Response:
        return web.json_response(render.block_volume(self._account, self._named(request, block=True)))

    async def update_block(self, request: web.Request) -> web.Response:
        """Name, tags, or a larger size; growing takes a while, in which nothing else may change."""
        volume, change = self._named(request, block=True), await read(request, UpdateVolume)
        if volume.status is VolumeStatus.UPDATING:
            raise errors.transient_state("volume", volume.id, volume.status)
        if change.size is not None and change.size < volume.size:
            raise errors.invalid_argument("size", "constraint", "a volume can only be made larger")
        volume.name = change.name or volume.name
        volume.tags = volume.tags if change.tags is None else change.tags
        volume.updated_at = now()
        if change.size is not None and change.size > volume.size:
            self._cloud.machines.belated.size(volume, change.size)
        return web.json_response(render.block_volume(self._account, volume))

    async def delete_block(self, request: web.Request) -> web.Response:
        volume = self._named(request, block=True)
        if volume.status is VolumeStatus.UPDATING:
            raise errors.transient_state("volume", volume.id, volume.status)
        if volume.status is VolumeStatus.IN_USE:
            raise errors.still_in_use("the volume is attached to a server", status=412)
        volume.deleted_at = now()
        return web.Response(status=204)

    def _found(self, request: web.Request, *, block: bool) -> list[Volume]:
        wanted, name = tags_in(request), request.query.get("name", "")
        volumes = self._account.volumes(request.match_info["zone"], block=block)
        return [volume for volume in volumes if wanted <= set(volume.tags) and name in volume.name]

    def _named(self, request: web.Request, *, block: bool) -> Volume:
        return self._account.volume(request.match_info["zone"], request.match_info["volume_id"], block=block)
