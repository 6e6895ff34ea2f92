"""User data of a server: raw bytes by key. `cloud-init` is what the host reads when it boots."""

from aiohttp import web

from simulator.cloud.errors import invalid_argument, not_found
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.resources import Server
from simulator.scenario import Call

ALL = "/instance/v1/zones/{zone}/servers/{server_id}/user_data"
ONE = ALL + "/{key}"
LARGEST_BYTES = 127 * 1024


class UserData:
    def __init__(self, cloud: Cloud) -> None:
        self._account = cloud.account

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("GET", ALL, Call.LIST_USER_DATA, self.list),
            Endpoint("GET", ONE, Call.GET_USER_DATA, self.get),
            Endpoint("PATCH", ONE, Call.SET_USER_DATA, self.set),
            Endpoint("DELETE", ONE, Call.DELETE_USER_DATA, self.delete),
        ]

    async def list(self, request: web.Request) -> web.Response:
        return web.json_response({"user_data": sorted(self._server(request).user_data)})

    async def get(self, request: web.Request) -> web.Response:
        """A missing key is a 404 without a body (scaleway-cli, test-user-data-get-get-an-nonexistent-key)."""
        server, key = self._server(request), request.match_info["key"]
        if key not in server.user_data:
            return web.Response(status=404, content_type="text/plain")
        return web.Response(body=server.user_data[key], content_type="text/plain")

    async def set(self, request: web.Request) -> web.Response:
        server, content = self._server(request), await request.read()
        if len(content) > LARGEST_BYTES:
            raise invalid_argument("user_data", "constraint", f"at most {LARGEST_BYTES} bytes")
        server.user_data[request.match_info["key"]] = content
        return web.Response(status=204)

    async def delete(self, request: web.Request) -> web.Response:
        server, key = self._server(request), request.match_info["key"]
        if key not in server.user_data:
            raise not_found("instance_user_data", key)
        del server.user_data[key]
        return web.Response(status=204)

    def _server(self, request: web.Request) -> Server:
        return self._account.server(request.match_info["zone"], request.match_info["server_id"])
