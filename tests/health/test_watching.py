"""Health over a real stream and a real machine's ports: from facts that others record to facts of its own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import pytest
from nats.js.errors import BadRequestError
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.health.app import running
from shared.bus.topology import DEAD_LETTERS
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.journal.streams import EVERY_EVENT, append_subject, events_of
from shared.lifecycle.events import Drained, HealthLost, HealthRestored, IdleLimitReached, WorkerReachable
from shared.lifecycle.status import WATCHED, Status
from tests.health.examples import LEASE_S
from tests.health.watching import World, a_world, until, watched
from tests.lifecycle import facts as f
from tests.nats_proxy import nats_proxy

WARM = ["WorkerReachable", "ModelLoaded", "WarmupCompleted", "HealthPassed", "InstanceReady"]


@pytest.fixture
async def world(nats_url: str) -> AsyncGenerator[World]:
    async with a_world(nats_url) as world:
        yield world


async def test_a_launch_is_seen_from_ssh_to_ready(world: World) -> None:
    async with watched(world):
        await world.launched()
        await world.until(lambda instance: instance.step == "SshReachable")
        await world.happen(f.ports_opened(), f.ssh_install_started(), f.ssh_install_completed())
        await world.worker.open()
        ready = await world.until(Status.READY)
        assert (ready.progress_percent, ready.max_model_len) == (100, 2048)
        assert await world.seen() == ["SshReachable", *WARM]
        assert {recorded.origin.causation_id for recorded in (await world.history())[-5:]} == {
            (await world.history())[4].id
        }


@pytest.mark.parametrize("status", [Status.BOOTING, Status.INSTALLING, Status.STARTING])
async def test_a_worker_that_answers_makes_it_ready_from_every_status_before(world: World, status: Status) -> None:
    before = {
        Status.BOOTING: (),
        Status.INSTALLING: (f.ssh_install_started(),),
        Status.STARTING: (f.ssh_install_started(), f.ssh_install_completed()),
    }
    async with watched(world):
        await world.launched()
        await world.happen(*before[status])
        await world.worker.open()
        await world.until(Status.READY)


async def test_health_says_at_its_start_that_workers_are_without_tls(world: World) -> None:
    with capture_logs() as logged:
        async with running(world.pace(worker_tls="off")):
            pass
    assert [entry for entry in logged if "without TLS" in entry["event"]]


async def test_a_worker_is_not_ready_before_its_own_model_is_listed(world: World) -> None:
    async with watched(world):
        await world.launched()
        mine, world.worker.models = world.worker.models, ["gpt2"]
        await world.worker.open()
        await world.worker.until_asked("/v1/models", 5)
        assert (await world.journal.load(world.id)).step == "WorkerReachable"
        world.worker.models = mine
        await world.until(Status.READY)


async def test_the_old_worker_does_not_make_a_reinstalled_instance_ready(world: World) -> None:
    async with watched(world):
        await world.ready()
        await world.happen(f.reinstall_requested(), f.ssh_install_started(attempt=2))
        await world.worker.until_asked("/v1/models", 5, status=401)
        await world.happen(f.ssh_install_completed(attempt=2))
        await world.worker.until_asked("/v1/models", 5, status=401)
        instance = await world.journal.load(world.id)
        assert (instance.status, instance.attempt) == (Status.STARTING, 2)
        assert not instance.reached(WorkerReachable)
        world.worker.api_key = world.key(2)
        ready = await world.until(Status.READY)
        assert ready.attempt == 2
        assert await world.seen() == ["SshReachable", *WARM, *WARM]


async def test_the_new_worker_is_not_seen_before_its_install_is_completed(world: World) -> None:
    async with watched(world):
        await world.ready()
        world.worker.api_key = world.key(2)
        await world.happen(f.reinstall_requested(), f.ssh_install_started(attempt=2))
        await world.worker.until_asked("/v1/models", 5)
        assert (await world.journal.load(world.id)).status is Status.INSTALLING
        await world.happen(f.ssh_install_completed(attempt=2))
        await world.until(Status.READY)


async def test_a_worker_that_goes_is_lost_and_one_that_comes_back_restored(world: World) -> None:
    async with watched(world):
        await world.ready()
        for outage in (1, 2):
            await world.worker.close()
            assert (await world.until(Status.UNAVAILABLE)).outages == outage
            await world.worker.open()
            await world.until(Status.READY)
        events = [recorded.event for recorded in await world.history()]
        lost = [(event.outage, event.reason) for event in events if isinstance(event, HealthLost)]
        assert lost == [(1, "GET /health: connection refused"), (2, "GET /health: connection refused")]
        assert [event.outage for event in events if isinstance(event, HealthRestored)] == [1, 2]


async def test_a_worker_that_does_not_come_back_fails_the_instance(world: World) -> None:
    async with watched(world, unavailable_seconds=0.3):
        await world.ready()
        await world.worker.close()
        failed = await world.until(Status.FAILED)
        assert failed.error is not None
        assert failed.error.code == "unavailable_too_long"
        await world.until_unwatched()


async def test_a_model_that_never_loads_fails_with_the_last_thing_seen(world: World) -> None:
    async with watched(world, startup_seconds=3.0):
        await world.launched()
        failed = await world.until(Status.STARTUP_FAILED)
        assert failed.error is not None
        assert failed.error.code == "startup_timeout"
        assert "GET /health: connection refused" in failed.error.message
        await world.until_unwatched()


async def test_a_launch_whose_server_somebody_stopped_fails_with_that_reason_long_before_its_limit(
    world: World,
) -> None:
    async with watched(world, stopped_seconds=0.3):
        await world.launched()
        await world.happen(f.ssh_install_started(), f.ssh_install_completed(), f.server_stopped())
        failed = await world.until(Status.STARTUP_FAILED)
    assert failed.error is not None
    assert failed.error.code == "server_stopped"
    assert failed.error.message.startswith("Somebody stopped the server at the provider, and it was not started again")


async def test_draining_waits_for_running_requests(world: World) -> None:
    async with watched(world):
        await world.ready()
        world.worker.running = 2
        await world.happen(f.drain_requested())
        await world.worker.until_asked("/metrics", 10)
        assert (await world.journal.load(world.id)).status is Status.DRAINING
        world.worker.running = 0
        await world.until(Status.TERMINATING)
        (drained,) = [recorded.event for recorded in await world.history() if isinstance(recorded.event, Drained)]
        assert not drained.forced


async def test_draining_is_forced_once_its_limit_has_passed(world: World) -> None:
    async with watched(world, drain_seconds=0.3):
        await world.ready()
        world.worker.running = 1
        await world.happen(f.drain_requested())
        await world.until(Status.TERMINATING)
        (drained,) = [recorded.event for recorded in await world.history() if isinstance(recorded.event, Drained)]
        assert drained.forced


async def test_a_drain_and_an_end_are_acted_on_at_once(world: World) -> None:
    async with watched(world, ready_look_seconds=600, reload_seconds=600):
        await world.ready()
        await world.happen(f.drain_requested())
        await world.until(Status.TERMINATING)
        await world.until_unwatched()


async def test_a_changed_address_is_looked_at_at_once(world: World) -> None:
    async with watched(world, reload_seconds=600):
        await world.launched(address="127.0.0.254")
        await world.happen(f.address_changed(ip_address="127.0.0.1"))
        await world.until(lambda instance: instance.step == "SshReachable")
        await world.happen(f.termination_requested())


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event that passes is heard by any watch."""

    async def hear_nothing(*_: object) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("shared.bus.updates.Updates.on_message", hear_nothing)


@pytest.mark.usefixtures("deaf")
async def test_a_watch_that_hears_nothing_still_learns_of_the_end_by_itself(world: World) -> None:
    async with watched(world, ready_look_seconds=600, reload_seconds=0.1):
        await world.ready()
        await world.happen(f.termination_requested())
        await world.until_unwatched()


@pytest.mark.usefixtures("deaf")
async def test_after_a_reconnect_what_happened_meanwhile_is_acted_on_at_once(world: World) -> None:
    slow: dict[str, Any] = {"ready_look_seconds": 600, "reload_seconds": 600}
    leases: dict[str, Any] = {"lease_seconds": 30, "former_lease_seconds": LEASE_S}
    async with nats_proxy(world.url) as proxy, watched(world, nats_url=proxy.url, **slow, **leases):
        await world.ready()
        await world.happen(f.termination_requested())
        proxy.cut()
        await world.until_unwatched()


async def test_what_the_stream_refused_is_not_even_heard(world: World) -> None:
    async with watched(world) as leases:
        ready = await world.ready()
        ended = ready.model_copy(update={"status": Status.TERMINATING, "version": ready.version + 1})
        requested = f.termination_requested(instance_id=world.id)
        heard = await world.connection.subscribe(EVERY_EVENT)
        with pytest.raises(BadRequestError):
            await world.connection.jetstream().publish(
                append_subject(world.id, "TerminationRequested"),
                encode(uuid4(), requested, ended, Origin("a slower api"), "/test"),
                headers={
                    "Nats-Expected-Last-Subject-Sequence": "1",
                    "Nats-Expected-Last-Subject-Sequence-Subject": events_of(world.id),
                },
            )
        await world.worker.until_asked("/health", 5)
        assert heard.pending_msgs == 0
        assert len(leases) == 1


async def test_every_watched_status_is_probed(world: World) -> None:
    def probes(status: Status) -> float:
        return sum(
            sample.value
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if sample.name == "coldstart_health_probes_total" and sample.labels["status"] == status
        )

    before = {status: probes(status) for status in Status}
    async with watched(world):
        await world.launched()
        await world.until(lambda instance: instance.step == "SshReachable")
        await world.happen(f.ssh_install_started())
        await until(lambda: probes(Status.INSTALLING) > before[Status.INSTALLING])
        await world.happen(f.ssh_install_completed())
        await until(lambda: probes(Status.STARTING) > before[Status.STARTING])
        await world.worker.open()
        await world.until(Status.READY)
        await until(lambda: probes(Status.READY) > before[Status.READY])
        await world.worker.close()
        await world.until(Status.UNAVAILABLE)
        await until(lambda: probes(Status.UNAVAILABLE) > before[Status.UNAVAILABLE])
        await world.happen(f.drain_requested())
        await world.until(Status.TERMINATING)
    assert {status for status in Status if probes(status) > before[status]} == WATCHED


async def test_a_call_to_watch_that_cannot_be_read_fails_its_instance_and_is_buried(world: World) -> None:
    async with watched(world):
        await world.ready()
        jetstream = world.connection.jetstream()
        await jetstream.publish(append_subject(world.id, "ReinstallRequested"), b"not an event")
        await jetstream.publish(append_subject(uuid4(), "IpAssigned"), b"of an instance that nobody knows")
        failed = await world.until(Status.FAILED)
        assert failed.error is not None
        assert failed.error.code == "trigger_not_understood"
        await world.until_unwatched()
        assert (await jetstream.stream_info(DEAD_LETTERS)).state.messages == 2


async def test_one_that_nobody_uses_is_drained_and_says_why(world: World) -> None:
    async with watched(world):
        await world.launched(idle_shutdown=1)
        await world.worker.open()
        instance = await world.until(Status.TERMINATING)
        reached = [each.event for each in await world.history() if isinstance(each.event, IdleLimitReached)]
        assert [event.limit_seconds for event in reached] == [1]
        assert instance.error is None
