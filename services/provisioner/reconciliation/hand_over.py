"""Work that is due for an instance and that nobody holds is handed over again (`shared/bus/hand_over.py`)."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.bus.hand_over import Unheld, all_was_taken, hand_over, place_of
from shared.bus.held import held_by_anybody
from shared.bus.topology import INSTALL, LAUNCH, RELEASE, WATCH, Trigger
from shared.journal.direct_get import DirectGetFailed, direct_get
from shared.journal.envelope import Undecodable, decode
from shared.journal.recorded import Recorded
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.lifecycle.plan import due, plan
from shared.lifecycle.status import FAILURES

log = structlog.get_logger()

Place: TypeAlias = tuple[Trigger[Recorded], UUID]


def wanted(instance: Instance) -> Iterator[Trigger[Recorded]]:
    """Of which consumers somebody should hold a message of this instance. Pure."""
    if instance.status in FAILURES and not (instance.kept or instance.resources.released):
        yield RELEASE
    match due(instance):
        case None:
            pass
        case Action.RELEASE:
            yield RELEASE
        case Action.INSTALL:
            yield INSTALL
        case _:
            yield LAUNCH
    if instance.watched and instance.ip_address is not None:
        yield WATCH


class HandOver:
    def __init__(self, connection: Client, *, after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._unheld = Unheld[Place](after_s, clock)

    async def __call__(self, instances: Iterable[Instance]) -> None:
        """Look once. What cannot be asked now is asked the next time."""
        by_id = {instance.id: instance for instance in instances}
        try:
            overdue = self._unheld.look(await self._missing(by_id))
            taken = [
                trigger
                for trigger in {trigger for trigger, _ in overdue}
                if await all_was_taken(self._connection, trigger)
            ]
            for trigger, instance_id in overdue:
                if trigger in taken:
                    await self._hand_over(trigger, by_id[instance_id])
        except (NatsError, OSError, DirectGetFailed) as error:
            log.warning("nobody could be asked what is held", reason=repr(error))

    async def _missing(self, instances: Mapping[UUID, Instance]) -> list[Place]:
        """All holders are asked at once, since each question waits for the last answer that may come."""
        places: defaultdict[Trigger[Recorded], set[UUID]] = defaultdict(set)
        for instance in instances.values():
            for trigger in wanted(instance):
                places[trigger].add(instance.id)
        answers = await asyncio.gather(*(held_by_anybody(self._connection, trigger.durable) for trigger in places))
        return [
            (trigger, instance_id)
            for (trigger, instance_ids), held in zip(places.items(), answers, strict=True)
            if held is not None
            for instance_id in instance_ids - held
        ]

    async def _hand_over(self, trigger: Trigger[Recorded], instance: Instance) -> None:
        message = await self._asking_for_it(trigger, instance)
        if message is None:
            return
        await hand_over(self._connection, trigger, message)

    async def _asking_for_it(self, trigger: Trigger[Recorded], instance: Instance) -> Msg | None:
        """The newest event that asks for what is due; None if none does any more."""
        found: list[Msg] = []
        for kind in trigger.events:
            asked = {"last_by_subj": f"lifecycle.{instance.id}.{kind.type()}"}
            if (message := await direct_get(self._connection, asked)) is not None:
                found.append(message)
        for message in sorted(found, key=place_of, reverse=True):
            try:
                recorded = decode(message.data, place_of(message)[0], instance.status_since)
            except Undecodable:
                continue
            if trigger is WATCH or plan(instance, recorded.event) is not None:
                return message
        return None
