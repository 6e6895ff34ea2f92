"""The organisation as other APIs show it: its project (account API) and its quotas (IAM API).

Shapes: the SDK's types. A GPU type has a quota for each zone, `cp_servers_type_` and the type's name with underscores:
so refusals of orders name it, and so its readers ask for it. That a key without the right gets 403 is a guess.
"""

from typing import Any

from aiohttp import web

from simulator.cloud import errors
from simulator.cloud.catalog import SERVER_TYPES, quota_name, sold_in
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import only, page_of
from simulator.scenario import Call

PROJECT = "/account/v3/projects/{project_id}"
QUOTA = "/iam/v1alpha1/quota"


class Organization:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", PROJECT, Call.GET_PROJECT, self.project),
            Endpoint("GET", QUOTA, Call.LIST_QUOTA, self.quota),
        ]

    async def project(self, request: web.Request) -> web.Response:
        account, wanted = self._cloud.account, request.match_info["project_id"]
        if wanted != account.project_id:
            raise errors.not_found("project", wanted)
        return web.json_response(
            {
                "id": account.project_id,
                "name": "default",
                "organization_id": account.organization_id,
                "description": "",
                "status": "active",
                "created_at": None,
                "updated_at": None,
                "qualification": None,
            }
        )

    async def quota(self, request: web.Request) -> web.Response:
        only(request, {"page", "page_size", "organization_id"})
        if request.query.get("organization_id") != self._cloud.account.organization_id:
            raise errors.permissions_denied("quotum", "read")
        every = [self._quotum(name) for name in sorted(SERVER_TYPES) if SERVER_TYPES[name].gpu]
        return web.json_response({"quota": every[page_of(request, "page_size")], "total_count": len(every)})

    def _quotum(self, server_type: str) -> dict[str, Any]:
        limit = self._cloud.scenarios.default.scenario.quotas.get(server_type)
        return {
            "name": quota_name(server_type),
            "pretty_name": server_type,
            "unit": "server",
            "description": f"Servers of the type {server_type}",
            "locality_type": "zone",
            "limits": [
                {"global": False, "region": None, "zone": zone, "limit": limit, "unlimited": limit is None}
                for zone in self._cloud.account.zones
                if server_type in sold_in(zone)
            ],
            "limit": None,
            "unlimited": None,
        }
