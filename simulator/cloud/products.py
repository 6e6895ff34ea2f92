"""What can be rented, by zone: server types, their availability, and the images of the marketplace."""

from aiohttp import web

from simulator.cloud import render
from simulator.cloud.catalog import IMAGES, SERVER_TYPES, sold_in
from simulator.cloud.errors import not_found
from simulator.cloud.failures import is_short
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import only, page_of
from simulator.scenario import Call, Scenario

PRODUCTS = "/instance/v1/zones/{zone}/products/servers"
LOCAL_IMAGES = "/marketplace/v2/local-images"
IMAGE_FILTERS = frozenset({"page", "page_size", "zone", "arch", "image_label", "type", "order_by"})


class Products:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", PRODUCTS, Call.LIST_SERVER_TYPES, self.types, public=True),
            Endpoint("GET", PRODUCTS + "/availability", Call.LIST_AVAILABILITY, self.availability, public=True),
            Endpoint("GET", LOCAL_IMAGES, Call.LIST_LOCAL_IMAGES, self.images, public=True),
        ]

    async def types(self, request: web.Request) -> web.Response:
        only(request, {"page", "per_page"})
        sold = list(sold_in(request.match_info["zone"]).values())
        shown = {each.name: render.server_type(each) for each in sold[page_of(request, "per_page")]}
        return web.json_response({"servers": shown}, headers={"X-Total-Count": str(len(sold))})

    async def availability(self, request: web.Request) -> web.Response:
        """`shortage`: under the default scenario no creation of this type in this zone succeeds."""
        only(request, {"page", "per_page"})
        zone, scenario = request.match_info["zone"], self._cloud.scenarios.default.scenario
        names = [name for name in sold_in(zone) if name not in scenario.unlisted]
        shown = {
            name: {"availability": _availability(scenario, zone, name)} for name in names[page_of(request, "per_page")]
        }
        return web.json_response({"servers": shown}, headers={"X-Total-Count": str(len(names))})

    async def images(self, request: web.Request) -> web.Response:
        """An unknown label is a 404 (scaleway-cli, test-create-server-errors-error-invalid-image-label)."""
        only(request, IMAGE_FILTERS)
        query, zones = request.query, self._cloud.account.zones
        label = query.get("image_label")
        if label is not None and label not in {image.label for image in IMAGES}:
            raise not_found("MarketplaceImage", label)
        found = [
            render.local_image(image, zone, [t.name for t in SERVER_TYPES.values() if image.boots(t)])
            for zone in zones
            for image in IMAGES
        ]
        for name in ("zone", "arch", "type"):
            found = [image for image in found if query.get(name, image[name]) == image[name]]
        found = [image for image in found if query.get("image_label", image["label"]) == image["label"]]
        shown = found[page_of(request, "page_size")]
        return web.json_response({"local_images": shown, "total_count": len(found)})


def _availability(scenario: Scenario, zone: str, name: str) -> str:
    if is_short(scenario, zone, name):
        return "shortage"
    return "scarce" if name in scenario.scarce else "available"
