"""The block API's snapshots of volumes, which images are made of.

Shapes and states: terraform-provider-scaleway, data-source-image-tags, interactions 5-17, and image-external-block-
volume, interactions 11-64. How a deletion is refused is a guess, by the block API's volumes.
"""

from aiohttp import web

from simulator.cloud import errors, render_images
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import CreateSnapshot, UpdateSnapshot, only, page_of, read, tags_in
from simulator.cloud.resources import Snapshot, SnapshotStatus, VolumeStatus, now
from simulator.scenario import Call

COLLECTION = "/block/v1/zones/{zone}/snapshots"
ONE = COLLECTION + "/{snapshot_id}"
FILTERS = frozenset({
    "page", "page_size", "project_id", "organization_id", "name", "tags", "include_deleted", "order_by", "volume_id",
})  # fmt: skip
QUOTA = "cp_snapshots"


class Snapshots:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", COLLECTION, Call.CREATE_SNAPSHOT, self.create),
            Endpoint("GET", COLLECTION, Call.LIST_SNAPSHOTS, self.list),
            Endpoint("GET", ONE, Call.GET_SNAPSHOT, self.get),
            Endpoint("PATCH", ONE, Call.UPDATE_SNAPSHOT, self.update),
            Endpoint("DELETE", ONE, Call.DELETE_SNAPSHOT, self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Of the volume as it is now; it is `creating` for a while."""
        zone, wanted = request.match_info["zone"], await read(request, CreateSnapshot)
        volume = self._account.volume(zone, wanted.volume_id, block=True)
        if volume.status is VolumeStatus.UPDATING:
            raise errors.transient_state("volume", volume.id, volume.status)
        self._check_quota(zone, wanted.tags)
        snapshot = Snapshot(wanted.name, zone, volume.size, volume.id, wanted.tags)
        boots = next((server for server in self._account.servers(zone) if volume in server.volumes[:1]), None)
        self._account.add_snapshot(snapshot)
        if boots is not None:
            await self._cloud.machines.disks.store(boots.id, snapshot.id)
        self._cloud.machines.belated.snapshot(snapshot)
        self._cloud.machines.belated.tags(snapshot)
        return web.json_response(render_images.snapshot(self._account, snapshot))

    async def list(self, request: web.Request) -> web.Response:
        only(request, FILTERS)
        page, query, wanted = page_of(request, "page_size"), request.query, tags_in(request)
        found = [
            snapshot
            for snapshot in self._account.snapshots(request.match_info["zone"])
            if wanted <= set(snapshot.listed_tags)
            and query.get("name", "") in snapshot.name
            and query.get("volume_id", snapshot.volume_id) == snapshot.volume_id
        ]
        shown = [render_images.snapshot(self._account, snapshot, listed=True) for snapshot in found[page]]
        return web.json_response({"snapshots": shown, "total_count": len(found)})

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(render_images.snapshot(self._account, self._named(request)))

    async def update(self, request: web.Request) -> web.Response:
        snapshot, change = self._named(request), await read(request, UpdateSnapshot)
        snapshot.name = change.name or snapshot.name
        if change.tags is not None and change.tags != snapshot.tags:
            snapshot.tags = change.tags
            self._cloud.machines.belated.tags(snapshot)
        snapshot.updated_at = now()
        return web.json_response(render_images.snapshot(self._account, snapshot))

    async def delete(self, request: web.Request) -> web.Response:
        snapshot = self._named(request)
        if snapshot.status is SnapshotStatus.CREATING:
            raise errors.transient_state("snapshot", snapshot.id, snapshot.status)
        if snapshot.status is SnapshotStatus.IN_USE:
            raise errors.still_in_use("the snapshot is used by an image", status=412)
        snapshot.deleted_at = now()
        await self._cloud.machines.disks.remove(snapshot.id)
        return web.Response(status=204)

    def _check_quota(self, zone: str, tags: tuple[str, ...]) -> None:
        quota = self._cloud.scenarios.of(tags).scenario.snapshot_quota
        current = sum(1 for _ in self._account.snapshots(zone))
        if quota is not None and current >= quota:
            raise errors.quotas_exceeded(QUOTA, quota=quota, current=current)

    def _named(self, request: web.Request) -> Snapshot:
        return self._account.snapshot(request.match_info["zone"], request.match_info["snapshot_id"])
