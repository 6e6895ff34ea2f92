"""Changes that others made to the server of an instance in use: gone, switched off or on, another address."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from services.provisioner.action_context import Overtaken
from services.provisioner.provider import Power, Server
from services.provisioner.reconciliation.context import ReconciliationContext
from shared.bus.lease import FENCE
from shared.lifecycle.events import AddressChanged, IpAssigned, ServerLost, ServerRestarted, ServerStopped
from shared.lifecycle.instance import Instance
from shared.lifecycle.news import is_news

_Change: TypeAlias = ServerLost | ServerStopped | ServerRestarted | AddressChanged


def facts_about(instance: Instance, server: Server, at: datetime, *, has_power: bool) -> Iterator[_Change]:
    """The facts from a look that began at `at`, new or not; none while its launch is still switching it on."""
    if not instance.reached(IpAssigned):
        return
    if has_power and server.power is Power.OFF:
        yield ServerStopped(
            instance_id=instance.id, occurred_at=at, server_id=server.id, scratch_erased=instance.has_scratch
        )
    if has_power and server.power is Power.ON:
        yield ServerRestarted(instance_id=instance.id, occurred_at=at, server_id=server.id)
    if server.power is Power.ON and server.ip_address is not None:
        yield AddressChanged(
            instance_id=instance.id,
            occurred_at=at,
            server_id=server.id,
            ip_address=server.ip_address,
            address_id=server.address_id,
        )


class ServerChanges:
    """Remembers which servers the last reconciliation did not find."""

    def __init__(self, lost_after_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lost_after_s = lost_after_s
        self._monotonic = monotonic
        self._missing_since: dict[str, float] = {}

    async def __call__(
        self, context: ReconciliationContext, instance: Instance, listed: Mapping[str, Server]
    ) -> AsyncGenerator[_Change, None]:
        """Returns the recorded facts. A list may be late, so it only says where to look.

        Raises ProviderError, JournalUnavailable, Overtaken.
        """
        server_id, zone = instance.resources.server_id, instance.zone
        if server_id is None or zone is None:
            return
        shown = listed.get(server_id)
        as_known = shown is not None and not _news(context, instance, shown, context.clock())
        if as_known or not instance.in_use:
            self._missing_since.pop(server_id, None)
            return
        asked_at, asked = context.clock(), self._monotonic()

        def check() -> None:
            """A process that was suspended may hold an old answer."""
            if self._monotonic() - asked > FENCE * context.settings.lease_seconds:
                raise Overtaken

        server = await context.provider.get_server(zone, server_id)
        if server is not None:
            self._missing_since.pop(server_id, None)
            for fact in _news(context, instance, server, asked_at):
                await context.journal.record(fact, check=check)
                yield fact
        elif self._missing_for_s(server_id) >= self._lost_after_s:
            lost = ServerLost(instance_id=instance.id, occurred_at=asked_at, server_id=server_id)
            await context.journal.record(lost, check=check)
            del self._missing_since[server_id]
            yield lost

    def _missing_for_s(self, server_id: str) -> float:
        return self._monotonic() - self._missing_since.setdefault(server_id, self._monotonic())


def _news(context: ReconciliationContext, instance: Instance, server: Server, at: datetime) -> list[_Change]:
    facts = facts_about(instance, server, at, has_power=context.provider.capabilities.power)
    return [fact for fact in facts if is_news(instance, fact)]
