"""The instance API's flexible addresses. A dynamic address is not listed."""

from aiohttp import web

from simulator.cloud import errors, render
from simulator.cloud.addresses import Addresses
from simulator.cloud.gate import Cloud, Endpoint
from simulator.cloud.requests import CreateIp, UpdateIp, only, page_of, read, tags_in
from simulator.cloud.resources import Ip, ServerState, now
from simulator.scenario import Call

COLLECTION = "/instance/v1/zones/{zone}/ips"
ONE = COLLECTION + "/{ip}"
FILTERS = frozenset({"page", "per_page", "project", "organization", "tags", "type"})


class Ips:
    def __init__(self, cloud: Cloud, addresses: Addresses) -> None:
        self._account = cloud.account
        self._addresses = addresses

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint("POST", COLLECTION, Call.CREATE_IP, self.create),
            Endpoint("GET", COLLECTION, Call.LIST_IPS, self.list),
            Endpoint("GET", ONE, Call.GET_IP, self.get),
            Endpoint("PATCH", ONE, Call.UPDATE_IP, self.update),
            Endpoint("DELETE", ONE, Call.DELETE_IP, self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        zone = request.match_info["zone"]
        wanted = await read(request, CreateIp)
        if wanted.server is not None:
            self._attachable(zone, wanted.server)
        address = self._addresses.take()
        if address is None:
            raise errors.no_free_address()
        ip = Ip(address=address, zone=zone, dynamic=False, tags=wanted.tags)
        self._account.add_ip(ip)
        if wanted.server is not None:
            self._attach(ip, wanted.server)
        return self._show(ip, status=201)

    async def list(self, request: web.Request) -> web.Response:
        only(request, FILTERS)
        page, wanted = page_of(request, "per_page"), tags_in(request)
        found = [ip for ip in self._account.flexible_ips(request.match_info["zone"]) if wanted <= set(ip.tags)]
        shown = [render.ip(self._account, ip) for ip in found[page]]
        return web.json_response({"ips": shown}, headers={"X-Total-Count": str(len(found))})

    async def get(self, request: web.Request) -> web.Response:
        return self._show(self._named(request))

    async def update(self, request: web.Request) -> web.Response:
        """`server: null` detaches, an absent `server` changes nothing."""
        ip, change = self._named(request), await read(request, UpdateIp)
        if "server" in change.model_fields_set:
            if change.server is not None:
                self._attachable(ip.zone, change.server)
            self._detach(ip)
            if change.server is not None:
                self._attach(ip, change.server)
        if change.tags is not None:
            ip.tags = change.tags
        return self._show(ip)

    async def delete(self, request: web.Request) -> web.Response:
        ip = self._named(request)
        self._detach(ip)
        ip.deleted_at = now()
        self._addresses.give_back(ip.address)
        return web.Response(status=204)

    def _attachable(self, zone: str, server_id: str) -> None:
        """A host gets its address at power-on, so only a stopped server can change it."""
        server = self._account.server(zone, server_id)
        if server.state is not ServerState.STOPPED:
            raise errors.wrong_state("server should be stopped")

    def _attach(self, ip: Ip, server_id: str) -> None:
        ip.server_id = server_id
        self._account.all_servers[server_id].ips.append(ip)

    def _detach(self, ip: Ip) -> None:
        if ip.server_id is not None:
            self._attachable(ip.zone, ip.server_id)
            self._account.all_servers[ip.server_id].ips.remove(ip)
            ip.server_id = None

    def _named(self, request: web.Request) -> Ip:
        return self._account.ip(request.match_info["zone"], request.match_info["ip"])

    def _show(self, ip: Ip, *, status: int = 200) -> web.Response:
        return web.json_response({"ip": render.ip(self._account, ip)}, status=status)
