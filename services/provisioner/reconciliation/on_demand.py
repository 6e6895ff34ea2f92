"""Reconciliation on request: once with every provider, with the reports as the answer."""

import asyncio
from collections.abc import Sequence
from typing import Final

from faststream.nats import NatsBroker

from services.provisioner.reconciliation.reconcile import Reconcile
from shared.reconciliation import QUEUE, SUBJECT, ReconciliationReply, ReconciliationRequest

_WAITING: Final = 10
"""How many requests may wait; they are answered one after the other."""


class OnDemand:
    def __init__(self, reconciles: Sequence[Reconcile]) -> None:
        self._reconciles = reconciles

    def attach(self, broker: NatsBroker) -> None:
        """Subscribe to the requests; one of all subscribed processes answers each."""
        broker.subscriber(SUBJECT, queue=QUEUE, max_workers=_WAITING, title="provisioner-reconciling")(self.asked)

    async def asked(self, request: ReconciliationRequest) -> ReconciliationReply:
        """Raises an unexpected error of a reconciliation; the asker does not see it."""
        async with asyncio.TaskGroup() as group:
            reports = [group.create_task(each(delete_unknown=request.delete_unknown)) for each in self._reconciles]
        return ReconciliationReply(reports=tuple(each.result() for each in reports))
