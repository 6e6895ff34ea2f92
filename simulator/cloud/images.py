"""The instance API's images: the marketplace's by id, and those that were made here of a snapshot, which outlives them.

Shapes: terraform-provider-scaleway, data-source-image-tags, interactions 9-11.
"""

from aiohttp import web

from simulator.cloud import errors, render, render_images
from simulator.cloud.catalog import image_by_id
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import CreateImage, only, page_of, read, tags_in
from simulator.cloud.resources import Image, SnapshotStatus, now
from simulator.scenario import Call

COLLECTION = "/instance/v1/zones/{zone}/images"
ONE = COLLECTION + "/{image_id}"
FILTERS = frozenset({"page", "per_page", "project", "organization", "name", "tags", "arch"})
READY = frozenset({SnapshotStatus.AVAILABLE, SnapshotStatus.IN_USE})


class Images:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", COLLECTION, Call.CREATE_IMAGE, self.create),
            Endpoint("GET", COLLECTION, Call.LIST_IMAGES, self.list),
            Endpoint("GET", ONE, Call.GET_IMAGE, self.get),
            Endpoint("DELETE", ONE, Call.DELETE_IMAGE, self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        zone, wanted = request.match_info["zone"], await read(request, CreateImage)
        snapshot = self._account.snapshot(zone, wanted.root_volume)
        if snapshot.status not in READY:
            raise errors.not_available("snapshot")
        image = Image(wanted.name, zone, snapshot.id, snapshot.size, wanted.tags)
        self._account.add_image(image)
        snapshot.image_id, snapshot.updated_at = image.id, now()
        self._cloud.machines.belated.image(image)
        self._cloud.machines.belated.tags(image)
        return web.json_response({"image": render_images.image(self._account, image)}, status=201)

    async def list(self, request: web.Request) -> web.Response:
        """Own ones only, as with a `project`."""
        only(request, FILTERS)
        page, query, wanted = page_of(request, "per_page"), request.query, tags_in(request)
        found = [
            image
            for image in self._account.images(request.match_info["zone"])
            if wanted <= set(image.listed_tags) and query.get("name", "") in image.name
        ]
        shown = [render_images.image(self._account, image, listed=True) for image in found[page]]
        return web.json_response({"images": shown}, headers={"X-Total-Count": str(len(found))})

    async def get(self, request: web.Request) -> web.Response:
        zone, image_id = request.match_info["zone"], request.match_info["image_id"]
        published = image_by_id(image_id, zone)
        if published is not None:
            return web.json_response({"image": render.image(self._account, published, zone, now())})
        return web.json_response({"image": render_images.image(self._account, self._account.image(zone, image_id))})

    async def delete(self, request: web.Request) -> web.Response:
        image = self._account.image(request.match_info["zone"], request.match_info["image_id"])
        image.deleted_at = now()
        snapshot = self._account.all_snapshots[image.snapshot_id]
        others = [each.id for each in self._account.images(image.zone) if each.snapshot_id == snapshot.id]
        if others:
            snapshot.image_id = others[0]
        else:
            self._cloud.machines.belated.release(snapshot, self._cloud.scenarios.of(image.tags).scenario.detach)
        return web.Response(status=204)
