"""The simulator as one object: `async with Simulator(settings) as simulator: simulator.url`."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from simulator.cloud.account import Account
from simulator.cloud.addresses import Addresses
from simulator.cloud.api import routes
from simulator.cloud.books import Books
from simulator.cloud.failures import Scenarios
from simulator.cloud.gate import Cloud, OnCall
from simulator.cloud.machines import Machines
from simulator.cloud.ports import MakeHost
from simulator.control import Control
from simulator.host import make_host
from simulator.host.stored_disks import StoredDisks
from simulator.hub import Hub
from simulator.settings import SimulatorSettings

SHUTDOWN_SECONDS = 1.0
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Simulator:
    """A cloud, its hosts and a hub on one loopback port, from entering to leaving.

    Leaving ends every host and raises, as one group, whatever failed behind the API's answers meanwhile.
    """

    def __init__(self, settings: SimulatorSettings | None = None, *, hosts: MakeHost | None = None) -> None:
        self.settings = settings or SimulatorSettings()
        self._hosts = hosts or make_host(self.settings)
        self._stack = AsyncExitStack()
        self.on_call: OnCall | None = None
        """Set before entering: holds every call up before and after it did its work."""
        self.url = ""
        """SCW_API_URL, without a trailing slash."""

    @property
    def hub_url(self) -> str:
        """HF_ENDPOINT."""
        return f"{self.url}/hub"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            keep, ports = self.settings.keep, (self.settings.ssh_port, self.settings.worker_port)
            books = Books(self.settings.data_dir if keep else None)
            saved = books.read()
            addresses = stack.enter_context(Addresses(ports, saved.network))
            account, scenarios = Account(self.settings), Scenarios(self.settings.scenario)
            saved.restore(account)

            def write() -> None:
                books.write(account, addresses.network)

            disks = StoredDisks(self.settings.data_dir)
            machines = Machines(account, addresses, scenarios, self._hosts, disks, on_change=write, keep_disks=keep)
            stack.push_async_callback(machines.close)
            await machines.resume()
            write()
            cloud = Cloud(self.settings, account, scenarios, machines, on_call=self.on_call)
            app = web.Application(middlewares=[_written_down(write)])
            app.add_routes(
                [
                    *routes(cloud, addresses),
                    *Control(cloud).routes(),
                    *Hub(self.settings.hub_token, lambda: scenarios.default.scenario).routes(),
                ]
            )
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, self.settings.host, self.settings.port).start()
            port = runner.addresses[0][1]
            host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
            self.url = f"http://{host}:{port}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()


def _written_down(write: Callable[[], None]) -> Middleware:
    """What a call has changed is on disk before it is answered."""

    @web.middleware
    async def written_down(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            if request.method in _CHANGING:
                write()

    return written_down
