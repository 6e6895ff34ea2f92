"""Tells the load of deployments: once a second, and at once when somebody begins to wait for one."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple
from uuid import UUID, uuid4, uuid5

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from services.api.estimates.estimates import Estimates
from services.api.router.balance import Balance
from services.api.router.load_counts import LoadCounts
from services.api.router.table import RoutingTable
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment
from shared.load import EVERY_S, MOST_IN_A_REPORT, SUBJECT, DeploymentLoad, LoadReport

REPEATED: Final = 30
"""A deployment without load is in every so many-th report, for its lead."""
_APART_S: Final = 0.02
"""However often somebody begins to wait, reports are this far apart."""

Publish = Callable[[bytes], Awaitable[None]]
"""Raises NatsError or OSError. While the connection is lost, it must drop what it gets."""

log = structlog.get_logger()


async def publish(connection: Client, report: bytes) -> None:
    """Drop it while there is no connection: nats-py would keep it, and it would be out of date."""
    if connection.is_connected:
        await connection.publish(SUBJECT, report)


class _Figures(NamedTuple):
    in_flight: int = 0
    held: int = 0
    arrived: int = 0
    refused: int = 0
    served: int = 0


_NOTHING: Final = _Figures()


class _Parts:
    """Which part of a report tells of a deployment: the same as long as it lives, so that no two ever do."""

    def __init__(self) -> None:
        self._of: dict[UUID, int] = {}
        self._sizes = [0]

    def __len__(self) -> int:
        """Never less than before: a part that is told no more would count as one that was lost."""
        return len(self._sizes)

    def of(self, deployment_id: UUID) -> int:
        return self._of[deployment_id]

    def know(self, living: Iterable[UUID]) -> None:
        ids = frozenset(living)
        for gone in self._of.keys() - ids:
            self._sizes[self._of.pop(gone)] -= 1
        for new in ids - self._of.keys():
            part = next((part for part, size in enumerate(self._sizes) if size < MOST_IN_A_REPORT), len(self._sizes))
            if part == len(self._sizes):
                self._sizes.append(0)
            self._sizes[part] += 1
            self._of[new] = part


class LoadReports:
    """Made from what is known anyway and from `counts`. `process` distinguishes this one."""

    def __init__(
        self,
        counts: LoadCounts,
        table: RoutingTable,
        balance: Balance,
        estimates: Estimates,
    ) -> None:
        self._counts = counts
        self._table = table
        self._balance = balance
        self._estimates = estimates
        self._process = uuid4()
        self._parts = _Parts()
        self._reports = 0
        self._served: Counter[UUID] = Counter()
        self._reported: dict[UUID, _Figures] = {}

    async def run(self, publish: Publish, interval_s: float = EVERY_S) -> None:
        """For ever; the owner cancels it."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._counts.urgent.wait()
            self._counts.urgent.clear()
            for report in self.next():
                try:
                    await publish(report.model_dump_json(exclude_defaults=True).encode())
                except (NatsError, OSError) as error:
                    log.warning("load not reported", reason=repr(error))
            if loop.time() >= due:
                due = loop.time() + interval_s
            await asyncio.sleep(_APART_S)

    def next(self) -> list[LoadReport]:
        """One in most cases, several parts if it is too long for one, and none if nothing is deployed."""
        self._count_answers()
        living = self._counts.deployments.living
        if not living:
            return []
        self._reports += 1
        self._parts.know(each.id for each in living)
        parts: list[dict[UUID, DeploymentLoad]] = [{} for _ in range(len(self._parts))]
        in_flight = self._in_flight()
        reported = {}
        for number, deployment in enumerate(living):
            figures = self._figures(deployment, in_flight[deployment.id])
            told_before = self._reported.get(deployment.id, _NOTHING)
            if figures != told_before or figures.in_flight or figures.held or (self._reports + number) % REPEATED == 0:
                lead = self._estimates.lead(deployment.next_template)
                load = DeploymentLoad(**figures._asdict(), lead=lead)
                parts[self._parts.of(deployment.id)][deployment.id] = load
            reported[deployment.id] = figures
        self._reported = reported
        return self._in_parts(parts)

    def _in_parts(self, parts: list[dict[UUID, DeploymentLoad]]) -> list[LoadReport]:
        now, whole = CLOCK.now(), self._process
        if len(parts) == 1:
            return [LoadReport(process=whole, at=now, deployments=parts[0])]
        return [
            LoadReport(
                process=uuid5(whole, str(number)) if number else whole,
                part_of=whole,
                parts=len(parts),
                at=now,
                deployments=loads,
            )
            for number, loads in enumerate(parts)
        ]

    def _count_answers(self) -> None:
        """By the deployment of the instance that has answered."""
        for instance_id, answers in self._counts.answered.items():
            if (deployment_id := self._table.deployment_of(instance_id)) is not None:
                self._served[deployment_id] += answers
        self._counts.answered.clear()

    def _in_flight(self) -> Counter[UUID]:
        found: Counter[UUID] = Counter()
        for instance_id, requests in self._balance.all_in_flight.items():
            if (deployment_id := self._table.deployment_of(instance_id)) is not None:
                found[deployment_id] += requests
        return found

    def _figures(self, deployment: Deployment, in_flight: int) -> _Figures:
        of = deployment.id
        held, refused, served = self._counts.held(of), self._counts.refused[of], self._served[of]
        arrived = served + refused + in_flight + held
        return _Figures(in_flight, held or int(self._counts.is_called(deployment)), arrived, refused, served)
