"""Compares the router's tables with the read model, regularly and after every interruption of the stream."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import structlog

from services.api.deployments.table import DeploymentTable
from services.api.feed.feed import Feed
from services.api.feed.standing import Standing
from services.api.router import metrics
from services.api.router.table import RoutingTable
from shared.postgres.connection import DATABASE_ERRORS

log = structlog.get_logger()


class ReadModel(Protocol):
    async def standing(self, installation: UUID, known: Sequence[UUID]) -> Standing:
        """With the instances that are not gone and all those in `known`. Raises one of DATABASE_ERRORS."""


class Reconciling:
    """Set `lost_touch` when events may have been missed."""

    def __init__(
        self,
        table: RoutingTable,
        deployments: DeploymentTable,
        read_model: ReadModel,
        feed: Feed,
        lost_touch: asyncio.Event,
        *,
        interval_s: float,
    ) -> None:
        self._table = table
        self._deployments = deployments
        self._read_model = read_model
        self._feed = feed
        self._interval_s = interval_s
        self._lost_touch = lost_touch

    async def run(self) -> None:
        """Runs for ever; the owner cancels it. While the database is away, the stream alone must suffice."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._lost_touch.wait()
            self._lost_touch.clear()
            installation = self._feed.installation
            if installation is None:
                continue
            try:
                standing = await self._read_model.standing(installation, self._table.known)
            except DATABASE_ERRORS as error:
                log.warning("routes not reconciled", reason=repr(error))
                continue
            if not await self._feed.has(standing):
                continue  # the rows are of a stream that no longer exists
            is_behind = standing.sequence <= self._feed.position
            newer = [self._deployments.apply(deployment) for deployment in standing.deployments]
            if any(newer):
                log.warning("deployments corrected", deployments=sum(newer))
            if corrected := self._table.reconcile(standing.instances, is_behind=is_behind):
                metrics.corrections.inc(corrected)
                log.warning("routes corrected", instances=corrected)
