"""What holds at the end, whatever was done to the cluster: read from the stream, the cloud's account and the tables."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from nats.aio.client import Client

from services.progress.app import verify_once
from shared.bus.connection import connect, connected_once
from shared.bus.reader import ReadingInterrupted
from shared.bus.topology import TRIGGERS
from shared.journal.recorded import Recorded
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.status import FAILURES, Status
from shared.retry import Result, retried_for_ever
from tests.chaos.clients import MOST_REPLICAS, SURGE, Clients
from tests.integration.launches import MILESTONES
from tests.integration.stream import every_event, every_event_once_all_is_over
from tests.scaler.laws import broken_laws

RECONCILIATIONS: Final = 6
RELEASED_WITHIN_S: Final = 60.0
CREATED: Final = "InstanceCreated"
"""Two holders that overlap may order two servers; then one of them is a duplicate, which is deleted."""


async def broken_promises(clients: Clients) -> list[str]:
    """In words; once every client has ended and every fault has healed."""
    world = clients.world
    said = [*clients.outcome.wrong, *(f"two servers were on: {each}" for each in world.ledger.doubled)]
    said += await _left_billing(clients)
    connection = await connect(world.nats.url(), "chaos")
    try:
        # of a failed instance, the release comes after its clients have seen it fail
        events = await _uninterrupted(lambda: every_event_once_all_is_over(connection, RELEASED_WITHIN_S))
        of_instances = [each for each in events if isinstance(each, Recorded)]
        said += histories(of_instances, clients.outcome.launched, world.lost)
        said += broken_laws(events, MOST_REPLICAS + SURGE)
        said += await _dead_letters(connection)
    finally:
        await connection.close()
    verdict = await _uninterrupted(lambda: verify_once(world.settings.progress))
    said += [f"verify: {each}" for each in (*verdict.differences, *verdict.unreadable)]
    return said


async def _uninterrupted(read: Callable[[], Awaitable[Result]]) -> Result:
    """Nodes that have just come back may elect one leader more."""
    return await retried_for_ever(read, ReadingInterrupted, pause_s=1.0, failed=lambda _, __: None)


def histories(events: Iterable[Recorded], launched: Sequence[str], lost: set[str]) -> list[str]:
    """Each launch is in the stream once, without a gap, and has ended; nothing is recorded twice."""
    by_instance: defaultdict[str, list[Recorded]] = defaultdict(list)
    for event in events:
        by_instance[str(event.instance.id)].append(event)
    said = [f"{missing} was accepted, and is not in the stream" for missing in set(launched) - set(by_instance)]
    said += [f"{each} is in the stream twice over" for each, count in Counter(launched).items() if count > 1]
    for instance_id, history in by_instance.items():
        said += [f"{instance_id}: {what}" for what in _history(history, lost=instance_id in lost)]
    return said


def _history(history: list[Recorded], *, lost: bool) -> Iterable[str]:
    versions = [each.instance.version for each in history]
    if versions != list(range(1, len(versions) + 1)):
        yield f"its versions are {versions}"
    if len({each.id for each in history}) != len(history):
        yield "an event is recorded twice"
    types = Counter(type(each.event).__name__ for each in history)
    for name in MILESTONES:
        if types[name] > 1 and name != CREATED:
            yield f"{name} {types[name]} times"
    end = history[-1].instance
    if end.status not in FAILURES | {Status.TERMINATED}:
        yield f"it ended as {end.status}"
    if end.status in FAILURES and not lost:
        yield f"it failed: {end.error}"
    if not end.resources.released:
        yield "it holds resources"


async def _dead_letters(connection: Client) -> list[str]:
    info = await connection.jetstream(timeout=10).stream_info("DEAD_LETTERS")
    return [f"{info.state.messages} dead letters"] if info.state.messages else []


async def _left_billing(clients: Clients) -> list[str]:
    """What was asked for by a process that died right then is reconciliation's to find, here at once."""
    for _ in range(RECONCILIATIONS):
        left = {kind: ids for kind, ids in (await clients.world.account())["remaining"].items() if ids}
        if not left:
            return []
        await clients.reconcile()
        await asyncio.sleep(1.0)
    return [f"left at the provider, and billed: {left}"]


async def told_of(url: str, instance_ids: Iterable[str]) -> list[str]:
    """What the stream and its consumers say of instances that do not come to an end."""
    async with connected_once(url, timeout_s=10.0) as connection:
        jetstream = connection.jetstream(timeout=10)
        consumers = [await jetstream.consumer_info(LIFECYCLE, trigger.durable) for trigger in TRIGGERS]
        events = await _uninterrupted(lambda: every_event(connection))
    told = [
        f"{each.name}: delivered {each.delivered}, acknowledged to {each.ack_floor}, {each.num_ack_pending} held, "
        f"{each.num_redelivered} of them again, {each.num_pending} to come, {each.num_waiting} pulls"
        for each in consumers
    ]
    for instance_id in instance_ids:
        history = [each for each in events if str(each.after.id) == instance_id]
        told.append(f"{instance_id}: {[(each.sequence, each.type) for each in history[-6:]]}")
    return told
