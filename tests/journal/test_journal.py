"""The journal against a real JetStream: nothing is lost, nothing is recorded twice, whoever races."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import MaxPayloadError

from shared.bus.connection import connect
from shared.bus.installation import AnotherInstallation, installation_id
from shared.bus.lease import LeaseLost
from shared.bus.topology import INSTALL, LAUNCH, MAX_HELD, TRIGGERS, apply_topology
from shared.journal.direct_get import direct_get
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle import events as e
from shared.lifecycle.decide import terminate
from shared.lifecycle.errors import InstanceConflict, InstanceUnknown, IntentRefused
from shared.lifecycle.fold import fold
from shared.lifecycle.status import Status
from shared.lifecycle.wish import Wish
from tests.nats_proxy import NatsProxy, Operation, nats_proxy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPECIFICATION = Wish(name="qwen", model="Qwen/Qwen2.5-0.5B-Instruct", instance_types=("L4-1-24G",))


def requested(instance_id: UUID, **changes: object) -> e.InstanceRequested:
    return e.InstanceRequested(
        instance_id=instance_id, occurred_at=NOW, specification=SPECIFICATION.model_copy(update=changes)
    )


def created(instance_id: UUID, server_id: str = "server-1") -> e.InstanceCreated:
    return e.InstanceCreated(
        instance_id=instance_id, occurred_at=NOW, server_id=server_id, zone="fr-par-2", instance_type="L4-1-24G"
    )


@asynccontextmanager
async def journal_at(url: str) -> AsyncGenerator[tuple[Journal, Client]]:
    connection = await connect(url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    yield Journal(connection, actor="test", source="/coldstart/test"), connection
    await connection.close()


@pytest.fixture
async def journal(nats_url: str) -> AsyncGenerator[Journal]:
    async with journal_at(nats_url) as (journal, _):
        yield journal


async def begun(journal: Journal) -> UUID:
    instance_id = uuid4()
    await journal.request(requested(instance_id), intent_id=uuid4())
    return instance_id


async def types(journal: Journal, instance_id: UUID) -> list[str]:
    return [recorded.event.type() async for recorded in journal.history(instance_id)]


async def test_an_instance_nobody_requested_is_unknown(journal: Journal) -> None:
    with pytest.raises(InstanceUnknown):
        await journal.load(uuid4())
    with pytest.raises(InstanceUnknown):
        await journal.record(created(uuid4()))


async def test_the_snapshot_in_the_last_event_is_the_fold_of_the_history(journal: Journal) -> None:
    instance_id = await begun(journal)
    await journal.record(created(instance_id))
    await journal.record(e.InstanceStarted(instance_id=instance_id, occurred_at=NOW, server_id="server-1"))
    history = [recorded async for recorded in journal.history(instance_id)]
    assert await journal.load(instance_id) == history[-1].instance == fold(recorded.event for recorded in history)
    assert [recorded.instance.version for recorded in history] == [1, 2, 3]


async def test_two_writers_race_and_both_facts_land(nats_url: str) -> None:
    async with journal_at(nats_url) as (one, _), journal_at(nats_url) as (two, _):
        instance_id = await begun(one)
        facts = [
            e.VolumeFound(instance_id=instance_id, occurred_at=NOW, server_id="server-1", volume_id=f"volume-{number}")
            for number in range(20)
        ]
        await asyncio.gather(*(journal.record(fact) for journal, fact in zip([one, two] * 10, facts, strict=True)))
        instance = await one.load(instance_id)
        assert {volume.id for volume in instance.resources.volumes} == {fact.volume_id for fact in facts}
        assert instance.version == 21


async def test_the_same_fact_seen_by_ten_lands_once(journal: Journal) -> None:
    instance_id = await begun(journal)
    await asyncio.gather(*(journal.record(created(instance_id)) for _ in range(10)))
    assert await types(journal, instance_id) == ["InstanceRequested", "InstanceCreated"]


async def test_a_fact_that_is_no_longer_news_is_dropped(journal: Journal) -> None:
    instance_id = await begun(journal)
    await journal.record(created(instance_id))
    again = await journal.record(created(instance_id))
    assert again.version == 2


class LosesAnswers:
    """Lets the append through and loses what the server answers to it, as often as told."""

    def __init__(self, proxy: NatsProxy, times: int) -> None:
        self.left = times
        self.expecting: set[str] = set()
        self.lost = asyncio.Event()
        proxy.to_server = self.note
        proxy.to_client = self.lose

    async def note(self, operation: Operation) -> bool:
        if operation.subject.startswith("journal.") and self.left:
            self.expecting.add(operation.raw.split()[2].decode())
        return True

    async def lose(self, operation: Operation) -> bool:
        if operation.subject in self.expecting and self.left:
            self.left -= 1
            self.lost.set()
            return False
        return True


async def test_the_answer_to_a_publish_is_lost_and_the_fact_lands_once(nats_url: str) -> None:
    async with nats_proxy(nats_url) as proxy, journal_at(proxy.url) as (journal, _):
        instance_id = await begun(journal)
        lossy = LosesAnswers(proxy, times=1)
        instance = await journal.record(created(instance_id))
        assert lossy.left == 0
        assert instance.resources.server_id == "server-1"
        assert await types(journal, instance_id) == ["InstanceRequested", "InstanceCreated"]


async def test_an_intent_whose_answer_was_lost_counts_as_accepted_even_when_others_wrote_after_it(
    nats_url: str,
) -> None:
    async with nats_proxy(nats_url) as proxy, journal_at(proxy.url) as (journal, _), journal_at(nats_url) as (other, _):
        instance_id = await begun(journal)
        lossy = LosesAnswers(proxy, times=1)
        intent = asyncio.create_task(journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW))
        await lossy.lost.wait()
        await other.record(e.InstanceTerminated(instance_id=instance_id, occurred_at=NOW, server_id=None))
        assert (await intent).status is Status.TERMINATING
        assert await types(other, instance_id) == ["InstanceRequested", "TerminationRequested", "InstanceTerminated"]


async def test_a_terminate_racing_a_terminate_is_refused_and_not_recorded_twice(nats_url: str) -> None:
    async with journal_at(nats_url) as (one, _), journal_at(nats_url) as (two, _):
        instance_id = await begun(one)
        outcomes = await asyncio.gather(
            *(journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW) for journal in (one, two) * 5),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, IntentRefused) for outcome in outcomes) == 9
        assert await types(one, instance_id) == ["InstanceRequested", "TerminationRequested"]


async def test_the_same_request_again_gives_the_same_instance_and_another_one_a_conflict(journal: Journal) -> None:
    instance_id = uuid4()
    answers = await asyncio.gather(
        *(journal.request(requested(instance_id), intent_id=uuid4()) for _ in range(5)),
    )
    assert sorted(began for _, began in answers) == [False] * 4 + [True]
    with pytest.raises(InstanceConflict):
        await journal.request(requested(instance_id, model="other/model"), intent_id=uuid4())
    assert await types(journal, instance_id) == ["InstanceRequested"]


async def test_a_request_that_took_its_instance_for_unknown_is_judged_by_the_one_there_is(journal: Journal) -> None:
    instance_id = uuid4()
    begun = [await journal.request(requested(instance_id), intent_id=uuid4(), unknown=True) for _ in range(2)]
    assert [began for _, began in begun] == [True, False]
    assert begun[0][0] == begun[1][0]
    with pytest.raises(InstanceConflict):
        await journal.request(requested(instance_id, model="other/model"), intent_id=uuid4(), unknown=True)
    assert await types(journal, instance_id) == ["InstanceRequested"]


async def test_two_different_requests_racing_for_one_id_give_one_instance_and_one_conflict(nats_url: str) -> None:
    async with journal_at(nats_url) as (one, _), journal_at(nats_url) as (two, _):
        instance_id = uuid4()
        outcomes = await asyncio.gather(
            one.request(requested(instance_id, model="a/a"), intent_id=uuid4()),
            two.request(requested(instance_id, model="b/b"), intent_id=uuid4()),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, InstanceConflict) for outcome in outcomes) == 1


async def test_a_lost_lease_stops_an_inference_before_it_is_published(journal: Journal) -> None:
    instance_id = await begun(journal)

    def lost() -> None:
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await journal.record(created(instance_id), check=lost)
    assert await types(journal, instance_id) == ["InstanceRequested"]


async def test_an_event_that_no_longer_decodes_does_not_hide_the_instance(nats_url: str) -> None:
    async with journal_at(nats_url) as (journal, connection):
        instance_id = await begun(journal)
        await connection.jetstream().publish(append_subject(instance_id, "Nonsense"), b"{not json")
        assert (await journal.load(instance_id)).status is Status.PROVISIONING
        await journal.record(created(instance_id))
        assert await types(journal, instance_id) == ["InstanceRequested", "InstanceCreated"]


async def test_every_event_is_a_cloudevent_that_says_who_recorded_it_and_why(nats_url: str) -> None:
    async with journal_at(nats_url) as (journal, connection):
        instance_id = uuid4()
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await journal.request(requested(instance_id), intent_id=uuid4(), traceparent=trace)
        cause = [recorded async for recorded in journal.history(instance_id)][-1]
        await journal.record(created(instance_id), cause=cause)
        message = await connection.jetstream().get_last_msg(LIFECYCLE, f"lifecycle.{instance_id}.InstanceCreated")
        body = json.loads(message.data or b"")
        assert body["specversion"] == "1.0"
        assert body["type"] == "InstanceCreated"
        assert body["subject"] == str(instance_id)
        assert body["actor"] == "test"
        assert body["causationid"] == str(cause.id)
        assert body["traceparent"] == trace
        assert body["data"]["event"]["server_id"] == "server-1"
        assert body["data"]["instance"]["version"] == 2


async def test_the_topology_is_applied_by_many_at_once_and_keeps_one_installation(nats_url: str) -> None:
    connections = [await connect(nats_url, f"service-{number}") for number in range(5)]
    found = await asyncio.gather(
        *(apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30) for connection in connections)
    )
    kept = await installation_id(connections[0].jetstream())
    assert len({await installation_id(connection.jetstream()) for connection in connections}) == 1
    assert set(found) == {kept}
    for trigger in TRIGGERS:
        info = await connections[0].jetstream().consumer_info(LIFECYCLE, trigger.durable)
        assert info.config.max_ack_pending == MAX_HELD
        assert info.config.max_deliver == -1
    for connection in connections:
        await connection.close()


async def test_a_new_stream_may_be_that_of_an_installation_there_was(nats_url: str) -> None:
    connection = await connect(nats_url, "test")
    jetstream, former = connection.jetstream(), uuid4()
    assert await apply_topology(jetstream, replicas=1, ack_wait_s=30, installation=former) == former
    assert await apply_topology(jetstream, replicas=1, ack_wait_s=30) == former
    assert await apply_topology(jetstream, replicas=1, ack_wait_s=30, installation=former) == former
    await connection.close()


async def test_a_stream_never_becomes_another_installation_s(nats_url: str) -> None:
    async with journal_at(nats_url) as (_, connection):
        jetstream = connection.jetstream()
        found = await installation_id(jetstream)
        with pytest.raises(AnotherInstallation, match=str(found)):
            await apply_topology(jetstream, replicas=1, ack_wait_s=30, installation=uuid4())
        assert await installation_id(jetstream) == found


def test_an_install_never_waits_behind_launches() -> None:
    assert not set(INSTALL.subjects) & set(LAUNCH.subjects)


async def test_an_append_that_lands_late_does_not_speak_against_itself(nats_url: str) -> None:
    """The first try is held back on its way, until the second one has read where the history ends."""
    held: list[Operation] = []

    async with nats_proxy(nats_url) as proxy, journal_at(proxy.url) as (journal, _), journal_at(nats_url) as (_, other):
        instance_id = await begun(journal)

        async def to_server(operation: Operation) -> bool:
            if operation.subject.startswith("journal.") and not held:
                held.append(operation)
                return False
            if held and "STREAM.MSG.GET" in operation.subject and b"next_by_subj" in operation.raw:
                subject, headers, body = append_of(held[0])
                await other.jetstream().publish(subject, body, headers=headers)
                proxy.to_server = passes
            return True

        async def passes(_: Operation) -> bool:
            return True

        proxy.to_server = to_server
        instance = await journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW)
        assert instance.status is Status.TERMINATING
        assert await types(journal, instance_id) == ["InstanceRequested", "TerminationRequested"]


def append_of(operation: Operation) -> tuple[str, dict[str, str], bytes]:
    """Subject, headers and body of an HPUB."""
    line, _, rest = operation.raw.partition(b"\r\n")
    size = int(line.split()[-2])
    pairs = (line.split(b":", 1) for line in rest[:size].split(b"\r\n")[1:] if line)
    headers = {name.decode(): value.strip().decode() for name, value in pairs}
    return operation.subject, headers, rest[size:-2]


async def test_an_event_that_is_too_large_is_refused_at_once(journal: Journal) -> None:
    instance_id = await begun(journal)
    with pytest.raises(MaxPayloadError):
        await journal.record(
            e.InstanceFailed(instance_id=instance_id, occurred_at=NOW, code="x" * 2_000_000, message="too large")
        )


async def test_what_the_stream_keeps_where_nobody_reads_it_is_not_recorded(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with journal_at(nats_url) as (journal, connection):
        instance_id = await begun(journal)
        jetstream = connection.jetstream()
        declared = (await jetstream.stream_info(LIFECYCLE)).config
        await jetstream.update_stream(declared.evolve(subject_transform=None))
        monkeypatch.setattr("shared.journal.appending._PATIENCE_S", 0.1)
        with pytest.raises(JournalUnavailable, match="where events are read"):
            await journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW)
        assert await types(journal, instance_id) == ["InstanceRequested"]
        monkeypatch.undo()
        waiting = asyncio.create_task(journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW))
        misplaced = (await jetstream.stream_info(LIFECYCLE)).state.last_seq
        while (await jetstream.stream_info(LIFECYCLE)).state.last_seq == misplaced:
            pass
        await jetstream.update_stream(declared)
        assert (await waiting).status is Status.TERMINATING
        assert await types(journal, instance_id) == ["InstanceRequested", "TerminationRequested"]


async def test_the_times_of_an_instance_never_run_backwards(nats_url: str) -> None:
    """A fact that was seen earlier than the last one keeps its id, so it is still recorded once."""
    async with journal_at(nats_url) as (journal, _):
        instance_id = await begun(journal)
        requested_at = (await journal.load(instance_id)).updated_at
        early = created(instance_id).model_copy(update={"occurred_at": requested_at - timedelta(minutes=10)})
        for _ in range(2):
            assert (await journal.record(early)).updated_at == requested_at
        times = [recorded.occurred_at async for recorded in journal.history(instance_id)]
        assert times == [requested_at, requested_at]


@asynccontextmanager
async def lagging(connection: Client, instance_id: UUID, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """From now on, replicas answer what they know now of this instance."""
    known = await direct_get(connection, {"last_by_subj": f"lifecycle.{instance_id}.>"})

    async def behind(connection: Client, request: dict[str, Any]) -> Msg | None:
        return known if "last_by_subj" in request else await direct_get(connection, request)

    monkeypatch.setattr("shared.journal.histories.direct_get", behind)
    yield
    monkeypatch.undo()


class TestWhatAReplicaDoesNotKnowYet:
    async def test_an_instance_is_asked_of_the_leader(self, nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        instance_id = uuid4()
        async with journal_at(nats_url) as (journal, connection), lagging(connection, instance_id, monkeypatch):
            await journal.request(requested(instance_id), intent_id=uuid4())
            assert (await journal.load(instance_id, at_least=1)).version == 1
            with pytest.raises(InstanceUnknown):
                await journal.load(instance_id)

    async def test_an_instance_is_as_new_as_who_asks_needs_it(
        self, nats_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with journal_at(nats_url) as (journal, connection):
            instance_id = await begun(journal)
            async with lagging(connection, instance_id, monkeypatch):
                version = (await journal.record(created(instance_id))).version
                assert (await journal.load(instance_id)).version == version - 1
                assert (await journal.load(instance_id, at_least=version)).version == version
                assert (await journal.load(instance_id, from_leader=True)).version == version

    async def test_an_intent_is_not_refused_for_it(self, nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        instance_id = uuid4()
        async with journal_at(nats_url) as (journal, connection), lagging(connection, instance_id, monkeypatch):
            await journal.request(requested(instance_id), intent_id=uuid4())
            instance = await journal.intend(instance_id, terminate, intent_id=uuid4(), at=NOW)
            assert instance.status is Status.TERMINATING

    async def test_a_fact_is_not_dropped_for_it(self, nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with journal_at(nats_url) as (journal, connection):
            instance_id = await begun(journal)
            await journal.record(created(instance_id))
            stopped = e.ServerStopped(instance_id=instance_id, occurred_at=NOW, server_id="server-1")
            restarted = e.ServerRestarted(instance_id=instance_id, occurred_at=NOW, server_id="server-1")
            started = e.InstanceStarted(instance_id=instance_id, occurred_at=NOW, server_id="server-1")
            await journal.record(started)
            async with lagging(connection, instance_id, monkeypatch):
                off = await journal.record(stopped)
                assert (await journal.record(restarted)).version == off.version + 1
