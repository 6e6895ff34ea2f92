"""Power: what happens to a server and its host after an action was accepted."""

import asyncio
from collections.abc import Callable

from simulator.cloud import scratch
from simulator.cloud.account import Account
from simulator.cloud.addresses import Addresses
from simulator.cloud.background import Background, cancelled
from simulator.cloud.belated import Belated
from simulator.cloud.errors import no_free_address
from simulator.cloud.failures import Scenarios
from simulator.cloud.ports import Hardware, Host, MakeHost, StoredDisks
from simulator.cloud.resources import Ip, Server, ServerState, now
from simulator.scenario import Scenario


class Machines:
    """Owns every host. `belated` is what shows later of other calls."""

    def __init__(
        self,
        account: Account,
        addresses: Addresses,
        scenarios: Scenarios,
        make_host: MakeHost,
        disks: StoredDisks,
        *,
        on_change: Callable[[], None] = lambda: None,
        keep_disks: bool = False,
    ) -> None:
        """`on_change` is called after each task. With `keep_disks`, `close` stops the hosts and keeps all disks."""
        self._account = account
        self._background = Background(on_change)
        self._begin = self._background.begin
        self.disks = disks
        self.belated = Belated(account, scenarios, self._background)
        self._keep_disks = keep_disks
        self._addresses = addresses
        self._scenarios = scenarios
        self._make_host = make_host

    async def resume(self) -> None:
        """Continue the servers of an earlier run; returns once those that were running have booted.

        Each keeps its address, unless another simulator has its network by now.
        """
        for ip in self._account.all_ips.values():
            if not self._addresses.claim(ip.address):
                ip.address = self._addresses.take() or ip.address
        for server in list(self._account.servers()):
            self._go_on_with(server)
            if not server.volumes and server.deleted_at is None:
                self.belated.boot_volume(server)
        booting = [server.transition for server in self._account.servers() if server.transition is not None]
        if booting:
            await asyncio.wait(booting)

    def _go_on_with(self, server: Server) -> None:
        match server.state:
            case ServerState.RUNNING:
                server.transition = self._begin(self._boot_again(server))
            case ServerState.STARTING:
                server.state = ServerState.STOPPED
                self.power_on(server)
            case ServerState.STOPPING if server.terminating:
                self.delete(server)
            case ServerState.STOPPING:
                self._stopped(server, server.ips[0].address if server.ips else None)
            case ServerState.STOPPED:
                pass

    def power_on(self, server: Server) -> None:
        """Begin to start a stopped server. Raises ApiError when no address is left."""
        address = self._public_address(server) or self._addresses.take()
        if address is None:
            raise no_free_address()
        scenario = self._scenario(server)
        server.host = self._host(server, address, scenario)
        server.state, server.state_detail = ServerState.STARTING, "allocating node"
        server.note("poweron")
        if not scenario.address:
            self._show_address(server, address)
        server.transition = self._begin(self._boot(server, address, scenario))

    def power_off(self, server: Server) -> None:
        """Begin to stop a running server."""
        self._begin_to_stop(server, "poweroff")
        server.transition = self._begin(self._stop(server, server.transition, self._scenario(server).poweroff))

    def terminate(self, server: Server) -> None:
        """Begin to stop a running server, and delete it once it is stopped."""
        self._begin_to_stop(server, "terminate")
        server.terminating, server.state_detail = True, "terminating"
        server.transition = self._begin(self._terminate(server, server.transition, self._scenario(server).poweroff))

    def delete(self, server: Server) -> None:
        """Forget a server now. A block volume stays, in use for a little longer.

        A local volume stays as well (scaleway-cli, test-server-delete-with-none-volumes, interaction 10), but goes with
        a `terminate`, as the API's reference says.
        """
        server.deleted_at = now()
        server.note("deleted")
        for volume in scratch.slots(server).values():
            if volume.block:
                self.belated.detachment(volume, self._scenario(server).detach)
            elif server.terminating:
                volume.deleted_at = now()
            else:
                volume.server_id = None
        self._begin(self._destroy_host(server, server.transition))

    async def stop_at_once(self, server: Server) -> None:
        """Stop it in any state, as the provider itself may; returns once it is stopped."""
        self._begin_to_stop(server, "stopped by the provider")
        server.transition = self._begin(self._stop(server, server.transition, 0.0))
        await asyncio.wait([server.transition])

    async def start_at_once(self, server: Server) -> None:
        """Start a stopped server, as somebody may in the console; returns once it has booted. Raises ApiError."""
        self.power_on(server)
        if server.transition is not None:
            await asyncio.wait([server.transition])

    async def readdress(self, server: Server) -> None:
        """Give a server another dynamic address while the API shows it as running; returns once it has booted there."""
        server.transition = self._begin(self._move(server, server.transition, self._scenario(server)))
        await asyncio.wait([server.transition])

    async def close(self) -> None:
        """End every task and every host, and delete the disks unless they are kept.

        Raises every error of theirs, as one group.
        """
        of_tasks = await self._background.end()
        hosts = [server.host for server in self._account.all_servers.values() if server.host is not None]
        ends = (host.stop() if self._keep_disks else host.destroy() for host in hosts)
        endings = await asyncio.gather(*ends, return_exceptions=True)
        if not self._keep_disks:
            await self.disks.clear()
        faults = [*of_tasks, *(ending for ending in endings if ending is not None)]
        if faults:
            raise BaseExceptionGroup("the simulated machines failed", faults)

    async def _boot(self, server: Server, address: str, scenario: Scenario) -> None:
        async with asyncio.TaskGroup() as steps:
            if scenario.address:
                steps.create_task(self._show_address_later(server, address, scenario.address))
            await asyncio.sleep(scenario.poweron)
            server.state, server.state_detail = ServerState.RUNNING, "booting kernel"
            server.note("running")
            if server.host is not None:
                await server.host.start()
            server.state_detail = "booted"

    async def _boot_again(self, server: Server) -> None:
        """A server that was running when the simulator ended: the API shows it as running throughout."""
        address = self._public_address(server) or self._addresses.take()
        if address is None:
            raise no_free_address()
        server.host = self._host(server, address, self._scenario(server))
        server.note("booted again")
        self._show_address(server, address)
        await server.host.start()

    async def _show_address_later(self, server: Server, address: str, delay: float) -> None:
        await asyncio.sleep(delay)
        self._show_address(server, address)

    def _show_address(self, server: Server, address: str) -> None:
        if server.dynamic_ip_required and not server.ips:
            ip = Ip(address=address, zone=server.zone, dynamic=True, server_id=server.id)
            self._account.add_ip(ip)
            server.ips.append(ip)
        server.note(f"address {address}")

    def _begin_to_stop(self, server: Server, why: str) -> None:
        server.state, server.state_detail = ServerState.STOPPING, "stopping"
        server.note(why)

    async def _stop(self, server: Server, boot: asyncio.Task[None] | None, delay: float) -> None:
        await cancelled(boot)
        host = server.host
        if host is not None:
            await asyncio.gather(host.stop(), asyncio.sleep(delay))
            if server.scratch is not None:
                await host.erase_scratch()
        self._stopped(server, host.address if host is not None else None)

    def _stopped(self, server: Server, address: str | None) -> None:
        if address is not None:
            self._release(server, address)
        server.state, server.state_detail = ServerState.STOPPED, ""
        server.note("stopped")

    async def _move(self, server: Server, boot: asyncio.Task[None] | None, scenario: Scenario) -> None:
        await cancelled(boot)
        if server.host is not None:
            await server.host.stop()
            self._release(server, server.host.address)
        address = self._addresses.take()
        if address is None:
            raise no_free_address()
        server.host = self._host(server, address, scenario)
        self._show_address(server, address)
        await server.host.start()

    async def _terminate(self, server: Server, boot: asyncio.Task[None] | None, delay: float) -> None:
        await self._stop(server, boot, delay)
        server.transition = None
        if server.deleted_at is None:
            self.delete(server)

    async def _destroy_host(self, server: Server, transition: asyncio.Task[None] | None) -> None:
        was_on = server.state is not ServerState.STOPPED
        await cancelled(transition)
        host = server.host
        if host is not None:
            await host.destroy()
            server.host = None
            if was_on:
                self._release(server, host.address)
        else:
            await self.disks.discard(server.id)
        for ip in server.ips:
            ip.server_id = None
        server.ips = []
        server.state = ServerState.STOPPED

    def _host(self, server: Server, address: str, scenario: Scenario) -> Host:
        return self._make_host(
            server_id=server.id,
            address=address,
            tags=server.tags,
            cloud_init=server.user_data.get("cloud-init", b""),
            hardware=_hardware(server),
            scenario=scenario,
        )

    def _public_address(self, server: Server) -> str | None:
        return server.ips[0].address if server.ips else None

    def _release(self, server: Server, address: str) -> None:
        """A dynamic address goes with the power; a flexible one stays with its server."""
        flexible = [ip for ip in server.ips if not ip.dynamic]
        for ip in server.ips:
            if ip.dynamic:
                ip.deleted_at, ip.server_id = now(), None
        server.ips = flexible
        if all(ip.address != address for ip in flexible):
            self._addresses.give_back(address)

    def _scenario(self, server: Server) -> Scenario:
        return self._scenarios.of(server.tags).scenario


def _hardware(server: Server) -> Hardware:
    gpu, size = server.type.gpu, server.scratch.size if server.scratch else 0
    return Hardware(gpu.name, gpu.count, size) if gpu else Hardware(gpus=0, scratch=size)
