"""The one-machine stack that `coldstart up` and `coldstart demo` run, started in the order of its dependencies."""

import asyncio
import errno
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from coldstart.embedded.errors import EmbeddedServerError
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.followers import followers_server
from coldstart.embedded.nats import FollowersNats
from coldstart.embedded.servers import RunningServers, servers, store_folders
from coldstart.providers import providers, variables_in_words
from coldstart.refusals import Refused
from coldstart.settings import SettingsInvalid, StackSettings
from coldstart.slow_steps import Step
from coldstart.stack.files import (
    ADMIN_KEY,
    MASTER_SECRET,
    SIMULATED,
    Reach,
    SecretMissing,
    archive_setting,
    clouds,
    forget_reach,
    made_once,
    note_clouds,
    router_setting,
    stored,
    write_reach,
)
from coldstart.stack.processes import Service, ServiceFailed
from coldstart.stack.simulated import SimulatedCloud, holds_servers, simulating
from coldstart.supervised.process import STOP_SECONDS
from shared.bus.accounts import COPIER

COPIES: Final = "progress"
"""The service that copies events for followers."""
_LEAST_ROOM: Final = 500_000_000
_LEAST_ROOM_TO_GO_ON: Final = 64_000_000
"""Of an installation that has recorded something: it has to start to be able to end its instances."""
_LAST_STEPS_S: Final = 5.0
"""For what the api does after the answers that are under way have had their time."""
PROVISIONER: Final = "services.provisioner"
SERVICES: Final = (
    "services.progress",
    "services.health",
    "services.scaler",
    PROVISIONER,
    "services.webhooks",
    "services.api",
)


class StackRefused(Refused):
    """The settings do not fit this machine; the message says what to change."""


class PortTaken(StackRefused):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"port {port} on {host} is taken by another program; set COLDSTART_API_PORT to another one.")


class AddressUnusable(StackRefused):
    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on port {port} of {host}: {reason}; see COLDSTART_API_HOST, COLDSTART_API_PORT."
        )


class DataFolderUnusable(StackRefused):
    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot keep data in {error.filename}: {error.strerror}; set COLDSTART_DATA_DIR to another.")


class NoRoom(StackRefused):
    def __init__(self, place: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"{free_bytes / 1e6:.0f} MB are free in {place}, and {needed_bytes / 1e6:.0f} MB are needed: make room, or "
            "set COLDSTART_DATA_DIR to a folder on another disk."
        )


class OtherCloud(StackRefused):
    """The data folder was used with another cloud; in this one all its instances would count as lost."""

    def __init__(self, data_dir: Path, clouds: str, do: str) -> None:
        super().__init__(
            f"{data_dir} was used with {clouds}, whose instances would count as lost: {do}, or set COLDSTART_DATA_DIR "
            "to another folder."
        )


class CloudMissing(StackRefused):
    def __init__(self) -> None:
        super().__init__(
            "COLDSTART_NATS_URL is set, but no cloud: to the instances of that stream a simulated one would be a cloud "
            f"that has lost all their machines. Set {variables_in_words('', ' or ')}, or unset COLDSTART_NATS_URL."
        )


class NotSimulated(StackRefused):
    def __init__(self, cloud: str) -> None:
        super().__init__(
            f"--realistic and --scenario are for the simulated cloud, and this stack would use {cloud}: unset "
            f"{variables_in_words('', ' and ')}."
        )


@dataclass(frozen=True)
class Stack:
    """`new_key`: this start made the admin key, so nobody has seen it yet.

    `broken` raises EmbeddedServerError or ServiceFailed when a part that cannot be restarted has ended.
    """

    reach: Reach
    services: tuple[Service, ...]
    new_key: bool
    broken: Callable[[], Coroutine[None, None, None]]


@asynccontextmanager
async def stack(  # noqa: PLR0915 - one list of all that is started, in its order
    settings: StackSettings,
    *,
    simulated: bool,
    scenario: str | None = None,
    anonymous: bool = False,
    begin: Step = lambda _: None,
) -> AsyncGenerator[Stack]:
    """Start everything and stop it in reverse, with a cloud simulated by `scenario` (JSON), or the real one.

    `anonymous`: the services get no token for the simulated hub. `begin` is called with the name of each step.

    Raises StackRefused, SettingsInvalid, ServiceFailed, EmbeddedServerError.
    """
    if simulated and settings.nats_url is not None:
        raise CloudMissing
    data_dir = settings.data_dir.absolute()
    async with AsyncExitStack() as cleanup:
        try:
            cleanup.enter_context(ServerFolder(data_dir, "stack").locked())
        except OSError as error:
            raise DataFolderUnusable(error) from error
        _check_clouds(data_dir, simulated=simulated)
        port = _free_port(settings.api_host, settings.api_port)
        secret = master_secret(settings, data_dir)
        _check_room(data_dir)
        begin(f"NATS and PostgreSQL in {data_dir}")
        running = await cleanup.enter_async_context(
            servers(data_dir, _revealed(settings.nats_url), _revealed(settings.database_url))
        )
        followers = None
        if settings.nats_url is None:
            followers = await cleanup.enter_async_context(followers_server(data_dir))
        provisioned = frozenset({SIMULATED}) if simulated else providers()
        logs = data_dir / "logs"
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        cloud = None
        if simulated:
            begin(f"the simulated cloud, whose log is {logs / 'simulator.log'}")
            simulation = simulating(data_dir, logs / "simulator.log", scenario, anonymous=anonymous)
            cloud = await cleanup.enter_async_context(simulation)
        admin_key, new_key = _revealed(settings.admin_key) or "", False
        if not admin_key:
            admin_key, new_key = made_once(data_dir, ADMIN_KEY, "cs-admin-")
        environment = {
            "COLDSTART_DATABASE_URL": running.database_url,
            "COLDSTART_MASTER_SECRET": secret,
            "COLDSTART_ADMIN_KEY": admin_key,
            "COLDSTART_API_HOST": settings.api_host,
            "COLDSTART_API_PORT": str(port),
            **archive_setting(data_dir),
            **router_setting(data_dir),
            **store_folders(running.embedded),
            **(cloud.environment if cloud else {}),
        }
        stop_s = max(STOP_SECONDS, settings.shutdown_seconds + _LAST_STEPS_S)
        services = tuple(
            Service(
                module,
                environment | _nats(running, name, followers) | _metrics(settings, module),
                logs / f"{name}.log",
                stop_s=stop_s,
            )
            for module in SERVICES
            for name in [module.rpartition(".")[2]]
        )
        begin(f"the services, whose logs are in {logs}")
        await _all_serving(cleanup, services, lambda: note_clouds(data_dir, provisioned))
        reach = Reach(
            f"http://{f'[{settings.api_host}]' if ':' in settings.api_host else settings.api_host}:{port}",
            admin_key,
            running.nats_url,
            running.database_url,
            cloud.url if cloud else None,
            os.getpid(),
            followers.url if followers else None,
        )
        write_reach(data_dir, reach)
        cleanup.callback(forget_reach, data_dir)

        async def broken() -> None:
            await _first_to_fail(running, cloud)

        yield Stack(reach, services, new_key, broken)


def _nats(running: RunningServers, service: str, followers: FollowersNats | None) -> dict[str, str]:
    """The URLs of a service's own user, and of the user that writes the followers' copy."""
    urls = {"COLDSTART_NATS_URL": running.nats_url_of(service) or running.nats_url}
    if service == COPIES and followers:
        urls["COLDSTART_FOLLOWERS_NATS_URL"] = followers.url_of(COPIER)
    return urls


def _metrics(settings: StackSettings, service: str) -> dict[str, str]:
    """Each service needs a port of its own; the api serves its metrics beside everything else."""
    if settings.metrics_port is None:
        return {}
    return {"COLDSTART_METRICS_PORT": str(settings.metrics_port + SERVICES.index(service))}


async def _first_to_fail(running: RunningServers, cloud: SimulatedCloud | None) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(running.given_up())
            if cloud:
                group.create_task(cloud.ended())
    except* (EmbeddedServerError, ServiceFailed) as failures:
        raise failures.exceptions[0] from None
    await asyncio.Event().wait()  # no server of ours to watch


async def _all_serving(
    cleanup: AsyncExitStack, services: tuple[Service, ...], provisioning: Callable[[], None]
) -> None:
    """Start the services side by side; they wait for each other through the stream and the database.

    `provisioning` is called once the provisioner has accepted its settings; otherwise it has rented nothing.
    """

    async def start(service: Service) -> None:
        await cleanup.enter_async_context(service.supervised())
        if service.module == PROVISIONER:
            provisioning()

    try:
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(start(service))
    except* (ServiceFailed, SettingsInvalid) as failures:
        wrong = [failure for failure in failures.exceptions if isinstance(failure, SettingsInvalid)]
        raise (wrong or failures.exceptions)[0] from None


def master_secret(settings: StackSettings, data_dir: Path) -> str:
    """Made only for a new installation: a different one could not sign in to existing machines.

    Raises SecretMissing, DataFolderUnusable.
    """
    given = _revealed(settings.master_secret) or stored(data_dir, MASTER_SECRET)
    if given is not None:
        return given
    if settings.nats_url is not None or (data_dir / "nats" / "data").exists():
        raise SecretMissing(data_dir / MASTER_SECRET, "COLDSTART_MASTER_SECRET")
    try:
        return made_once(data_dir, MASTER_SECRET)[0]
    except OSError as error:
        raise DataFolderUnusable(error) from error


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _check_room(data_dir: Path) -> None:
    """Raises NoRoom: when its disk is full, NATS accepts no more events."""
    free = shutil.disk_usage(data_dir).free
    needed = _LEAST_ROOM_TO_GO_ON if (data_dir / "nats" / "data").exists() else _LEAST_ROOM
    if free < needed:
        raise NoRoom(data_dir, free, needed)


def _check_clouds(data_dir: Path, *, simulated: bool) -> None:
    """Raises OtherCloud if this start would lose what an earlier one has launched."""
    real = (clouds(data_dir) or frozenset()) - {SIMULATED}
    if simulated and real:
        do = f"set its {variables_in_words('', ' or ')} as before"
        raise OtherCloud(data_dir, " and ".join(sorted(real)), do)
    if not simulated and holds_servers(data_dir):
        raise OtherCloud(data_dir, "the simulated cloud", "start it without a cloud and terminate them")


def _free_port(host: str, port: int) -> int:
    """`port`, or for 0 one that the kernel picks. Raises PortTaken."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(host, port) from None
            raise AddressUnusable(host, port, error.strerror or str(error)) from None
        return int(probe.getsockname()[1])
