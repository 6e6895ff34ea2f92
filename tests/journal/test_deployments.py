"""The journal of deployments against a real JetStream, in the stream that instances have too."""

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import pytest

from services.progress.rows import Rows
from shared.actor import Actor
from shared.bus.lease import LeaseLost
from shared.deployments import decide
from shared.deployments import events as e
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentRefused, DeploymentUnknown
from shared.deployments.fold import fold
from shared.deployments.wish import DeploymentWish
from shared.journal.deployments import DeploymentJournal
from shared.journal.envelope import DEPLOYMENTS, Undecodable, WrittenByNewer, decode, decode_any, encode
from shared.journal.journal import Journal
from shared.journal.recorded import Origin, UnknownDeploymentEvent
from shared.journal.streams import LIFECYCLE, event_subject
from shared.lifecycle.errors import InstanceUnknown
from tests.deployments import facts as d
from tests.deployments.facts import AT, ID, a_wish
from tests.journal.another_version import body_of, named, with_field, written
from tests.journal.test_journal import LosesAnswers, append_of, journal_at, requested
from tests.nats_proxy import Operation, nats_proxy

ITSELF: Final = Actor(kind="service", name="test")
"""Who asks if nobody is named: the journal's own service."""


@pytest.fixture
async def journals(nats_url: str) -> AsyncGenerator[tuple[DeploymentJournal, Journal]]:
    async with journal_at(nats_url) as (journal, connection):
        yield DeploymentJournal(connection, actor="test", source="/coldstart/test"), journal


@pytest.fixture
def journal(journals: tuple[DeploymentJournal, Journal]) -> DeploymentJournal:
    return journals[0]


async def put(journal: DeploymentJournal, wish: DeploymentWish) -> tuple[Deployment, bool]:
    its_id = e.deployment_id(wish.name, wish.organization_id)

    def judge(existing: Deployment | None, at: datetime) -> e.DeploymentEvent | None:
        return decide.put(existing, its_id, wish, at)

    return await journal.intend(its_id, judge, intent_id=uuid4(), at=AT)


async def intend(journal: DeploymentJournal, intent: decide.DeploymentIntent) -> tuple[Deployment, bool]:
    return await journal.intend(
        ID,
        lambda existing, at: decide.DEPLOYMENT_DECISIONS[intent](existing, ID, at),
        intent_id=uuid4(),
        at=AT,
    )


async def types(journal: DeploymentJournal) -> list[str]:
    return [recorded.type async for recorded in journal.history(ID)]


async def test_a_deployment_that_nobody_created_is_unknown(journal: DeploymentJournal) -> None:
    with pytest.raises(DeploymentUnknown):
        await journal.load(ID)
    with pytest.raises(DeploymentUnknown):
        await journal.record(d.deployment_scaled())
    with pytest.raises(DeploymentUnknown):
        await intend(journal, decide.DeploymentIntent.PAUSE)


async def test_a_put_is_recorded_once_however_often_it_is_asked(journal: DeploymentJournal) -> None:
    assert [await put(journal, a_wish()) for _ in range(3)] == [
        (d.given(d.deployment_created(requested_by=ITSELF)), True),
        (d.given(d.deployment_created(requested_by=ITSELF)), False),
        (d.given(d.deployment_created(requested_by=ITSELF)), False),
    ]
    changed, recorded = await put(journal, a_wish(max_replicas=3))
    assert (changed.version, changed.revision, recorded) == (2, 1, True)
    assert await types(journal) == ["DeploymentCreated", "DeploymentChanged"]


async def test_of_fifty_who_put_the_same_at_once_one_creates(journal: DeploymentJournal) -> None:
    made = await asyncio.gather(*(put(journal, a_wish()) for _ in range(50)))
    assert sum(recorded for _, recorded in made) == 1
    assert await types(journal) == ["DeploymentCreated"]


async def test_two_scalers_that_conclude_the_same_make_one_event(journal: DeploymentJournal) -> None:
    await put(journal, a_wish())
    conclusion = d.deployment_scaled(basis=1)
    later = d.deployment_scaled(basis=1, message="in other words", occurred_at=AT + timedelta(seconds=1))
    first, second = await asyncio.gather(journal.record(conclusion), journal.record(later))
    assert (first.version, second.version, first.wanted) == (2, 2, 1)
    assert await types(journal) == ["DeploymentCreated", "DeploymentScaled"]


async def test_a_conclusion_from_an_old_version_is_dropped(journal: DeploymentJournal) -> None:
    await put(journal, a_wish())
    await intend(journal, decide.DeploymentIntent.PAUSE)
    after = await journal.record(d.deployment_scaled(basis=1))
    assert (after.version, after.wanted, after.status) == (2, 0, DeploymentStatus.PAUSED)
    assert await types(journal) == ["DeploymentCreated", "DeploymentPaused"]


async def test_a_conclusion_is_checked_right_before_it_is_published(journal: DeploymentJournal) -> None:
    await put(journal, a_wish())

    def lost() -> None:
        raise LeaseLost("test")

    with pytest.raises(LeaseLost):
        await journal.record(d.deployment_scaled(basis=1), check=lost)
    assert await types(journal) == ["DeploymentCreated"]


async def test_an_intent_that_is_refused_records_nothing(journal: DeploymentJournal) -> None:
    await put(journal, a_wish())
    with pytest.raises(DeploymentRefused):
        await intend(journal, decide.DeploymentIntent.ROLLBACK)
    assert await types(journal) == ["DeploymentCreated"]


async def test_a_deleted_deployment_is_created_again_and_goes_on_counting(journal: DeploymentJournal) -> None:
    await put(journal, a_wish())
    await journal.record(d.replica_added(basis=1))
    await intend(journal, decide.DeploymentIntent.DELETE)
    with pytest.raises(DeploymentUnknown):
        await intend(journal, decide.DeploymentIntent.DELETE)
    again, recorded = await put(journal, a_wish())
    assert (again.status, again.version, again.revision, recorded) == (DeploymentStatus.ACTIVE, 4, 2, True)
    assert again.replicas, "what is left of the former one is still to be ended"
    history = [recorded.event async for recorded in journal.history(ID)]
    assert await journal.load(ID, from_leader=True) == again == fold(history)


async def test_its_event_is_a_cloud_event_with_the_deployment_after_it(nats_url: str) -> None:
    async with journal_at(nats_url) as (_, connection):
        journal = DeploymentJournal(connection, actor="test", source="/coldstart/test")
        created, _ = await put(journal, a_wish())
        message = await connection.jetstream().get_last_msg(LIFECYCLE, event_subject(ID, "DeploymentCreated"))
    body = json.loads(message.data or b"")
    assert (body["type"], body["subject"], body["actor"]) == ("DeploymentCreated", str(ID), "test")
    assert body["data"]["deployment"] == created.model_dump(mode="json")
    assert body["data"].keys() == {"event", "deployment"}
    with pytest.raises(Undecodable, match="no event of the kind instance"):
        decode(message.data or b"", 1, AT)


async def test_neither_journal_takes_the_others_for_its_own(journals: tuple[DeploymentJournal, Journal]) -> None:
    deployments, instances = journals
    await put(deployments, a_wish())
    instance_id = uuid4()
    await instances.request(requested(instance_id), intent_id=uuid4())
    with pytest.raises(InstanceUnknown):
        await instances.load(ID)
    with pytest.raises(DeploymentUnknown):
        await deployments.load(instance_id)


async def test_a_conclusion_whose_answer_was_lost_is_recorded_once(nats_url: str) -> None:
    async with nats_proxy(nats_url) as proxy, journal_at(proxy.url) as (_, connection):
        journal = DeploymentJournal(connection, actor="test", source="/coldstart/test")
        await put(journal, a_wish())
        lossy = LosesAnswers(proxy, times=1)
        assert (await journal.record(d.deployment_scaled(basis=1))).version == 2
        assert lossy.left == 0
        assert await types(journal) == ["DeploymentCreated", "DeploymentScaled"]


@pytest.mark.parametrize("asked", [b"last_by_subj", b"next_by_subj"])
async def test_a_restart_that_is_stored_late_restarts_once(nats_url: str, asked: bytes) -> None:
    """A second one would not be refused. The first try is held back until the second one asks the leader."""
    held: list[Operation] = []
    async with nats_proxy(nats_url) as proxy, journal_at(proxy.url) as (_, mine), journal_at(nats_url) as (_, other):
        journal = DeploymentJournal(mine, actor="test", source="/coldstart/test")
        await put(journal, a_wish())

        async def to_server(operation: Operation) -> bool:
            if operation.subject.startswith("journal.") and not held:
                held.append(operation)
                return False
            if held and "STREAM.MSG.GET" in operation.subject and asked in operation.raw:
                subject, headers, body = append_of(held[0])
                await other.jetstream().publish(subject, body, headers=headers)
                proxy.to_server = passes
            return True

        async def passes(_: Operation) -> bool:
            return True

        proxy.to_server = to_server
        restarted, recorded = await intend(journal, decide.DeploymentIntent.RESTART)
        assert (restarted.version, restarted.revision, recorded) == (2, 2, True)
        assert await types(journal) == ["DeploymentCreated", "DeploymentChanged"]


def test_what_a_newer_version_says_of_a_deployment_is_carried_on_or_left_to_it() -> None:
    created, scaled = d.deployment_created(), d.deployment_scaled()
    deployment = d.given(created, scaled)
    ours = encode(uuid4(), scaled, deployment, Origin("scaler"), "/test")
    novel = written(ours, with_field("deployment", "mood"), with_field("deployment", "wish", "scaling", "pace"))
    found = DEPLOYMENTS.decode(novel, 7, AT)
    assert (found.event, found.deployment) == (scaled, deployment)
    again = encode(uuid4(), scaled, deployment, Origin("scaler"), "/test", carried=found.unread)
    assert body_of(again)["data"]["deployment"] == body_of(novel)["data"]["deployment"] == found.snapshot()
    unknown = decode_any(written(ours, named("DeploymentMoved")), 7, AT)
    assert isinstance(unknown, UnknownDeploymentEvent)
    assert (unknown.type, unknown.deployment) == ("DeploymentMoved", deployment)
    (row,) = Rows([unknown]).deployments()
    assert (row.id, row.version) == (ID, 2)
    held = d.given(created, d.replica_added())
    of_a_replica = encode(uuid4(), d.replica_added(), held, Origin("scaler"), "/test")
    in_a_list = written(of_a_replica, lambda body: body["data"]["deployment"]["replicas"][0].update(mood="new"))
    with pytest.raises(WrittenByNewer):
        decode_any(in_a_list, 7, AT)
