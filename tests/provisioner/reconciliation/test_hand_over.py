"""What is due and held by nobody is handed over again, once it has been so for a while."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from services.provisioner.reconciliation.hand_over import HandOver, Place, wanted
from shared.bus.connection import connect
from shared.bus.hand_over import Unheld
from shared.bus.held import Held, subject
from shared.bus.topology import INSTALL, LAUNCH, RELEASE, REPLAYS, TRIGGERS, WATCH, Trigger, apply_topology
from shared.journal.recorded import Recorded
from shared.lifecycle.events import Event
from shared.lifecycle.instance import Instance
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.service import Author

AFTER_S = 60.0
REQUESTED = (f.instance_requested(),)
ADDRESSED = (*REQUESTED, f.instance_created(), f.volume_resized(), f.instance_started(), f.ip_assigned())
REACHED = (*ADDRESSED, f.ports_opened(), f.ssh_reachable())
TERMINATING = (*REACHED, f.termination_requested())
ANOTHER = UUID("5b8a7f0a-3c1e-4a62-9d57-0c0a5d1e7f21")
TERMINATING_ANOTHER = tuple(fact.model_copy(update={"instance_id": ANOTHER}) for fact in TERMINATING)


@pytest.mark.parametrize(
    ("history", "by"),
    [
        (REQUESTED, {LAUNCH}),
        (ADDRESSED, {LAUNCH, WATCH}),
        (REACHED, {INSTALL, WATCH}),
        (h.a_ready_instance(), {WATCH}),
        (TERMINATING, {RELEASE}),
        (h.a_terminated_instance(), set()),
        ((*REACHED, f.startup_failed()), {RELEASE}),
        ((*REACHED, f.startup_failed(), f.server_deleted(), f.resources_released()), set()),
    ],
)
def test_who_should_hold_it_follows_from_the_instance(history: tuple[Event, ...], by: set[Trigger[Recorded]]) -> None:
    assert set(wanted(f.given(*history))) == by


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_what_was_missing_in_every_look_for_long_enough_is_overdue_and_counts_anew() -> None:
    clock, place = Clock(), (RELEASE, f.INSTANCE_ID)
    unheld = Unheld[Place](AFTER_S, clock)
    for at, missing, overdue in (
        (0.0, True, False),
        (59.0, True, False),
        (60.0, True, True),
        (61.0, True, False),
        (110.0, False, False),
        (121.0, True, False),
        (181.0, True, True),
    ):
        clock.at = at
        assert unheld.look([place] if missing else []) == ([place] if overdue else []), at


class Stage:
    def __init__(self, connection: Client) -> None:
        self.connection = connection
        self.clock = Clock()
        self.hand_over = HandOver(connection, after_s=AFTER_S, clock=self.clock)
        self._author = Author(connection)

    async def record(self, *history: Event) -> Instance:
        instance = f.given(*history)
        for event in history:
            instance = await self._author.record(event)
        return instance

    async def look(self, *instances: Instance) -> None:
        """Twice, and a while apart."""
        for _ in range(2):
            await self.hand_over(instances)
            self.clock.at += AFTER_S

    async def handed_over(self) -> list[tuple[str, dict[str, Any]]]:
        jetstream, found = self.connection.jetstream(), []
        last = (await jetstream.stream_info(REPLAYS)).state.last_seq
        for sequence in range(1, last + 1):
            message = await jetstream.get_msg(REPLAYS, seq=sequence)
            found.append((str(message.subject), dict(message.headers or {})))
        return found


@pytest.fixture
async def stage(nats_url: str) -> AsyncGenerator[Stage]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
    yield Stage(connection)
    await connection.close()


@asynccontextmanager
async def holders(nats_url: str, *held: UUID) -> AsyncGenerator[None]:
    """One of every trigger, which holds these instances."""
    connection = await connect(nats_url, "holders")
    for trigger in TRIGGERS:
        holding = Held(trigger.durable)
        holding._times.update(held)
        await connection.subscribe(subject(trigger.durable), cb=holding.answer)
    await connection.request("$JS.API.INFO", timeout=60)
    yield
    await connection.close()


async def test_a_release_that_nobody_holds_is_handed_over_with_the_event_that_asks_for_it(
    stage: Stage, nats_url: str
) -> None:
    instance = await stage.record(*TERMINATING)
    async with holders(nats_url):
        await stage.look(instance)
    ((where, headers),) = await stage.handed_over()
    assert where == f"replays.{RELEASE.durable}"
    assert headers["Coldstart-Subject"] == f"lifecycle.{f.INSTANCE_ID}.TerminationRequested"
    assert headers["Coldstart-Origin"] == f"LIFECYCLE:{len(TERMINATING)}"


async def test_nothing_more_is_handed_over_while_what_was_still_waits_for_a_holder(stage: Stage, nats_url: str) -> None:
    first, second = await stage.record(*TERMINATING), await stage.record(*TERMINATING_ANOTHER)
    async with holders(nats_url):
        await stage.look(first)
        await stage.look(second)
        assert len(await stage.handed_over()) == 1
        jetstream = stage.connection.jetstream()
        waiting = await jetstream.pull_subscribe_bind(RELEASE.replays, REPLAYS)
        (message,) = await waiting.fetch(1)
        await stage.look(second)
        assert len(await stage.handed_over()) == 2
        await message.ack()


async def test_a_machine_that_nobody_watches_is_handed_over_to_health(stage: Stage, nats_url: str) -> None:
    instance = await stage.record(*h.a_ready_instance())
    async with holders(nats_url):
        await stage.look(instance)
    ((where, headers),) = await stage.handed_over()
    assert where == f"replays.{WATCH.durable}"
    assert headers["Coldstart-Subject"].endswith(".IpAssigned")


async def test_what_somebody_holds_is_left_to_them(stage: Stage, nats_url: str) -> None:
    instance = await stage.record(*TERMINATING)
    async with holders(nats_url, instance.id):
        await stage.look(instance)
    assert await stage.handed_over() == []


async def test_while_there_is_no_holder_at_all_the_message_waits_for_one_where_it_is(stage: Stage) -> None:
    await stage.look(await stage.record(*TERMINATING))
    assert await stage.handed_over() == []


async def test_an_action_that_is_done_is_not_handed_over_by_the_event_that_asked_for_it(
    stage: Stage, nats_url: str
) -> None:
    instance = await stage.record(*ADDRESSED, f.ports_opened())
    async with holders(nats_url):
        await stage.look(instance)
    assert [where for where, _ in await stage.handed_over()] == [f"replays.{WATCH.durable}"]


async def test_holders_are_asked_at_once_since_a_reconciliation_waits_for_their_answers(
    stage: Stage, nats_url: str
) -> None:
    """These ones answer only when both have been asked."""
    instance, connection = await stage.record(*REACHED), await connect(nats_url, "holders")
    asked: list[Msg] = []

    async def answer(question: Msg) -> None:
        asked.append(question)
        if len(asked) % 2 == 0:
            for each in asked[-2:]:
                await each.respond(b"")

    for trigger in (INSTALL, WATCH):
        await connection.subscribe(subject(trigger.durable), cb=answer)
    await connection.request("$JS.API.INFO", timeout=60)
    await stage.look(instance)
    assert {where for where, _ in await stage.handed_over()} == {
        f"replays.{INSTALL.durable}",
        f"replays.{WATCH.durable}",
    }
    await connection.close()


async def test_a_server_that_does_not_answer_is_asked_again_the_next_time(stage: Stage, nats_url: str) -> None:
    instance = await stage.record(*TERMINATING)
    await stage.connection.close()
    await stage.look(instance)
    again = await connect(nats_url, "test")
    with pytest.raises(NotFoundError):
        await again.jetstream().get_msg(REPLAYS, seq=1)
    await again.close()
