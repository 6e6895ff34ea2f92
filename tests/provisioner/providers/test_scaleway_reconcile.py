"""Reconciliation through the real adapter: other installations, unknown resources, and changes that others make."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client

from services.provisioner.provider import MachineImage, Order, Power, Server, TryAgain
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from services.provisioner.reconciliation.known import KnownInstances
from services.provisioner.reconciliation.reconcile import Reconcile
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.journal import Journal
from shared.lifecycle import events as e
from shared.lifecycle.wish import Wish
from shared.reconciliation import Kind
from simulator.scenario import Call, Error, Failure, Scenario
from tests.provisioner.provider_contract import eventually
from tests.provisioner.providers.conftest import CALL_TIMEOUT_S, QUICK
from tests.provisioner.stage import quick
from tests.simulator.clients import Control


@pytest.fixture
def scenario() -> Scenario:
    return QUICK.model_copy(update={"boot_volume": 0.05, "poweroff": 0.05, "detach": 0.05})


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    """The journal of an installation that has just lost all its data."""
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    yield connection
    await connection.close()


@pytest.fixture
async def neighbour(scaleway_settings: ScalewaySettings) -> AsyncIterator[ScalewayProvider]:
    """Another installation's, in the same project."""
    async with ScalewayProvider(scaleway_settings, uuid4(), CALL_TIMEOUT_S) as running:
        yield running


def _reconcile(connection: Client, provider: ScalewayProvider) -> Reconcile:
    journal = Journal(connection, actor="provisioner", source="/coldstart/test")
    settings = quick(volume_patience_seconds=5.0, power_off_seconds=10.0, detach_seconds=10.0)
    return Reconcile(journal, provider, KnownInstances(connection), settings)


async def _whole_of(provider: ScalewayProvider, instance_id: UUID) -> Server:
    """A running server with its group. Its boot volume has no tag yet."""
    order = Order(instance_id, "stray", provider.zones[0], "L4-1-24G", b"#cloud-config\n{}\n")
    made = await provider.create_server(order)
    assert isinstance(made, Server)
    server = await eventually(partial(provider.get_server, made.zone, made.id), lambda s: bool(s and s.volume_ids))
    assert server is not None
    group_id = await provider.make_security_group(server.zone, instance_id)
    await provider.open_ports(server, instance_id, group_id, (22,), ("0.0.0.0/0",))
    await provider.power_on(server.zone, server.id)
    return server


async def _begun_with(connection: Client, server: Server) -> Journal:
    """Records an instance whose launch made this server, switched it on and got its address."""
    assert server.instance_id is not None
    journal = Journal(connection, actor="test", source="/coldstart/test")
    common: dict[str, Any] = {"instance_id": server.instance_id, "occurred_at": datetime.now(UTC)}
    specification = Wish(name="qwen", model="a/b", instance_types=(server.instance_type,))
    await journal.request(e.InstanceRequested(**common, specification=specification), intent_id=uuid4())
    common["server_id"] = server.id
    await journal.record(e.InstanceCreated(**common, zone=server.zone, instance_type=server.instance_type))
    await journal.record(e.InstanceStarted(**common))
    await journal.record(e.IpAssigned(**common, ip_address=server.ip_address, address_id=server.address_id))
    return journal


async def _remaining(control: Control) -> Any:
    return (await control("GET", "account"))["remaining"]


async def test_an_installation_that_lost_its_data_touches_nothing_of_the_one_it_was_and_shows_it(
    connection: Client, provider: ScalewayProvider, neighbour: ScalewayProvider, control: Control
) -> None:
    """A new stream has a new installation's id. Resources with the old id are not its own, even for the command."""
    server = await _whole_of(neighbour, instance_id := uuid4())
    before = await _remaining(control)
    report = await _reconcile(connection, provider)(delete_unknown=True)
    assert not any((report.servers, report.removed, report.unknown, report.errors))
    (foreign,) = report.foreign
    assert (foreign.id, foreign.zone, foreign.instance_id) == (server.id, server.zone, instance_id)
    assert await _remaining(control) == before
    assert len(before["servers"]) == len(before["block_volumes"]) == len(before["security_groups"]) == 1


async def test_an_installation_that_takes_its_former_id_up_again_deletes_by_command_what_it_had(
    connection: Client, provider: ScalewayProvider, neighbour: ScalewayProvider, control: Control
) -> None:
    """COLDSTART_INSTALLATION sets the id of a stream that is made again."""
    del provider
    await _whole_of(neighbour, uuid4())
    report = await _reconcile(connection, neighbour)(delete_unknown=True)
    assert not report.foreign
    assert [each.kind for each in report.removed] == [Kind.SERVER, Kind.VOLUME, Kind.SECURITY_GROUP]
    assert not any((await _remaining(control)).values())


async def test_by_command_all_that_is_unknown_goes_and_what_others_made_or_attached_stays(
    connection: Client, provider: ScalewayProvider, neighbour: ScalewayProvider, control: Control
) -> None:
    await _whole_of(neighbour, uuid4())
    before = await _remaining(control)
    server = await _whole_of(provider, instance_id := uuid4())
    theirs = (await control("POST", f"servers/{server.id}/attach"))["id"]
    before["block_volumes"].append(theirs)
    reconcile = _reconcile(connection, provider)
    told = await reconcile()
    assert {(each.kind, each.instance_id) for each in told.unknown} == {
        (Kind.SERVER, instance_id),
        (Kind.SECURITY_GROUP, instance_id),
    }
    assert not told.removed
    report = await reconcile(delete_unknown=True)
    assert not report.errors
    assert [each.kind for each in report.removed] == [Kind.SERVER, Kind.VOLUME, Kind.SECURITY_GROUP]
    assert [each.id for each in report.removed][:2] == [server.id, *server.volume_ids]
    assert await _remaining(control) == before


async def test_what_a_crashed_store_left_is_shown_with_its_builder_and_an_images_own_snapshot_is_not(
    connection: Client, provider: ScalewayProvider, control: Control
) -> None:
    crashed, finished = uuid4(), uuid4()
    for builder in (crashed, finished):
        server = await _whole_of(provider, builder)
        await provider.power_off(server.zone, server.id)
        look = partial(provider.get_server, server.zone, server.id)
        await eventually(look, lambda seen: bool(seen and seen.power is Power.OFF))
        if builder == crashed:
            create = Failure(call=Call.CREATE_IMAGE, error=Error.UNAVAILABLE)
            await control("PUT", "scenario", QUICK.model_copy(update={"failures": (create,)}))
        store = partial(provider.store_image, server.zone, server.id, builder, "prepared", {})
        await eventually(partial(_tried, store), lambda tried: tried is not None)
    reconcile = _reconcile(connection, provider)
    shown = {each.instance_id for each in (await reconcile()).unknown if each.kind is Kind.DISK_SNAPSHOT}
    assert shown == {crashed}
    report = await reconcile(delete_unknown=True)
    assert [each.instance_id for each in report.removed if each.kind is Kind.DISK_SNAPSHOT] == [crashed]
    assert not report.errors
    left = await _remaining(control)
    assert {kind: len(ids) for kind, ids in left.items() if ids} == {"snapshots": 1, "images": 1}


async def _tried(store: Callable[[], Awaitable[MachineImage | None]]) -> MachineImage | TryAgain | None:
    """The image, or what has kept it from being made."""
    try:
        return await store()
    except TryAgain as error:
        return error


async def test_a_server_that_somebody_stops_and_starts_is_told_of_and_followed(
    connection: Client, provider: ScalewayProvider
) -> None:
    made = await _whole_of(provider, instance_id := uuid4())
    look = partial(provider.get_server, made.zone, made.id)
    running = await eventually(look, lambda s: bool(s and s.power is Power.ON and s.ip_address))
    assert running is not None
    journal, reconcile = await _begun_with(connection, running), _reconcile(connection, provider)
    report = await reconcile()
    assert not any((report.stopped, report.restarted, report.readdressed, report.unknown, report.errors))

    await provider.power_off(made.zone, made.id)
    await eventually(look, lambda s: bool(s and s.power is Power.OFF))
    assert (await reconcile()).stopped == (instance_id,)
    assert (await reconcile()).stopped == ()

    await provider.power_on(made.zone, made.id)
    again = await eventually(look, lambda s: bool(s and s.power is Power.ON and s.ip_address))
    assert again is not None
    report = await reconcile()
    assert report.restarted == (instance_id,)
    assert report.readdressed == (instance_id,)
    instance = await journal.load(instance_id)
    assert instance.server_on
    assert instance.ip_address == again.ip_address
    assert instance.resources.address_id == again.address_id
