"""Every endpoint of the simulated API, behind its gate."""

from aiohttp import web

from simulator.cloud.addresses import Addresses
from simulator.cloud.errors import not_found
from simulator.cloud.gate import Cloud, guarded, response_of
from simulator.cloud.images import Images
from simulator.cloud.ips import Ips
from simulator.cloud.organization import Organization
from simulator.cloud.price_list import PriceList
from simulator.cloud.products import Products
from simulator.cloud.rules import Rules
from simulator.cloud.security_groups import SecurityGroups
from simulator.cloud.servers import Servers
from simulator.cloud.snapshots import Snapshots
from simulator.cloud.user_data import UserData
from simulator.cloud.volumes import Volumes


def routes(cloud: Cloud, addresses: Addresses) -> list[web.RouteDef]:
    """All routes. A path of the vendor's API that is not simulated is a 404 that says so."""
    endpoints = [
        *Servers(cloud).endpoints(),
        *UserData(cloud).endpoints(),
        *SecurityGroups(cloud).endpoints(),
        *Rules(cloud).endpoints(),
        *Ips(cloud, addresses).endpoints(),
        *Volumes(cloud).endpoints(),
        *Snapshots(cloud).endpoints(),
        *Images(cloud).endpoints(),
        *Products(cloud).endpoints(),
        *PriceList(cloud).endpoints(),
        *Organization(cloud).endpoints(),
    ]
    return [
        *(web.route(endpoint.method, endpoint.path, guarded(cloud, endpoint)) for endpoint in endpoints),
        web.route("*", "/{product:instance|block|marketplace|account|iam|product-catalog}/{rest:.*}", _unknown),
    ]


async def _unknown(request: web.Request) -> web.StreamResponse:
    return response_of(not_found("route", f"{request.method} {request.path} is not simulated"))
