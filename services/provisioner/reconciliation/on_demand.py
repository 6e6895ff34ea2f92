"""Reconciliation as somebody asks for it: once with every provider, and the reports as the answer."""

import asyncio
from collections.abc import Sequence
from typing import Final

from faststream.nats import NatsBroker

from services.provisioner.reconciliation.reconcile import Reconcile
from shared.reconciliation import QUEUE, SUBJECT, ReconciliationReply, ReconciliationRequest

_WAITING: Final = 10
"""How many may have asked at once; each is answered by itself, one after the other."""


class OnDemand:
    def __init__(self, reconciles: Sequence[Reconcile]) -> None:
        self._reconciles = reconciles

    def attach(self, broker: NatsBroker) -> None:
        """Let `broker` hand over what is asked of this process, one of those that may answer."""
        broker.subscriber(SUBJECT, queue=QUEUE, max_workers=_WAITING, title="provisioner-reconciling")(self.asked)

    async def asked(self, request: ReconciliationRequest) -> ReconciliationReply:
        """Raises what surprised one of them, which its asker does not hear of."""
        async with asyncio.TaskGroup() as group:
            reports = [group.create_task(each(delete_unknown=request.delete_unknown)) for each in self._reconciles]
        return ReconciliationReply(reports=tuple(each.result() for each in reports))
