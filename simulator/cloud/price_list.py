"""The public catalogue of products, of which only the price of block snapshots is modelled.

Shapes: the SDK's types. That a block product's price is for a gigabyte and an hour: Scaleway's page about its prices.
"""

from typing import Any, Final

from aiohttp import web

from simulator.cloud.catalog import GIGABYTE, SNAPSHOT_GB_HOUR
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import only, page_of
from simulator.scenario import Call

PRODUCTS: Final = "/product-catalog/v2alpha1/public-catalog/products"
_OTHER_PROPERTIES: Final = (
    "hardware", "dedibox", "elastic_metal", "apple_silicon", "instance", "object_storage", "managed_inference",
    "generative_apis", "load_balancer", "secret_manager", "managed_redis_database", "key_manager", "kubernetes",
    "managed_relational_database", "serverless_functions", "serverless_containers", "managed_mongodb",
    "serverless_jobs", "serverless_sql_database", "apache_kafka", "open_search", "instance_local_ssd_snapshot",
    "instance_local_ssd_storage", "file_storage",
)  # fmt: skip


class PriceList:
    def __init__(self, cloud: Cloud) -> None:
        self._zones = cloud.account.zones

    def endpoints(self) -> list[Endpoint]:
        return [Endpoint("GET", PRODUCTS, Call.LIST_PRODUCTS, self.list, public=True)]

    async def list(self, request: web.Request) -> web.Response:
        only(request, {"page", "page_size", "product_types", "zone"})
        query = request.query
        zones = [zone for zone in self._zones if query.get("zone", zone) == zone]
        wanted = "block_storage" in query.getall("product_types", ["block_storage"])
        found = [_snapshot(zone) for zone in (zones if wanted else ())]
        return web.json_response({"products": found[page_of(request, "page_size")], "total_count": len(found)})


def _snapshot(zone: str) -> dict[str, Any]:
    block: dict[str, Any] = {"min_volume_size": None, "max_volume_size": None, "snapshot": {}, "volume": None}
    return {
        "sku": f"/storage/block/snapshot/{zone}",
        "service_category": "Storage",
        "product_category": "Block Storage",
        "product": "Snapshot",
        "variant": f"Snapshot {zone}",
        "description": "Snapshot of a block volume",
        "status": "general_availability",
        "badges": [],
        "locality": {"global": False, "region": None, "zone": zone, "datacenter": None},
        "price": {"retail_price": {"currency_code": "EUR", "units": 0, "nanos": round(SNAPSHOT_GB_HOUR * GIGABYTE)}},
        "properties": {**dict.fromkeys(_OTHER_PROPERTIES), "block_storage": block},
        "environmental_impact_estimation": None,
        "unit_of_measure": {"unit": "gigabyte", "size": 1},
        "end_of_life_at": None,
        "end_of_growth_at": None,
        "end_of_sale_at": None,
    }
