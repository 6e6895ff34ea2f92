"""The context of one action: what it may call, what it may record, and when it must stop."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from services.provisioner.offers import Offers
from services.provisioner.provider import Provider, Rejected
from services.provisioner.settings import ProvisionerSettings
from services.provisioner.weights.source import WeightsSource
from shared.bus.lease import Lease
from shared.clock import CLOCK
from shared.install_output import InstallOutputs
from shared.journal.journal import Journal
from shared.journal.recorded import Recorded
from shared.lifecycle.events import ActionDelayed, ActionResumed, Event
from shared.lifecycle.fact import Action
from shared.lifecycle.instance import Instance
from shared.lifecycle.plan import plan
from shared.machine import Shell
from shared.plain_text import plain_line, shortened
from shared.secrets import Secrets
from shared.worker_output import WorkerOutputs

UNKNOWN_PROVIDER: Final = "unknown_provider"
LONGEST_TEXT: Final = 500
"""The most characters of foreign output in an event, so that the event fits into a message."""


class Overtaken(Exception):
    """The instance no longer needs this action."""


@dataclass(frozen=True)
class Dependencies:
    """The dependencies of every action."""

    journal: Journal
    providers: Mapping[str, Provider]
    offers: Offers
    shell: Shell
    install_outputs: InstallOutputs
    secrets: Secrets
    settings: ProvisionerSettings
    worker_outputs: WorkerOutputs
    weights: WeightsSource

    def printable(self, text: str, instance_id: UUID, attempt: int) -> str:
        """The text made fit to be shown: plain, without secrets, of limited length.

        Secrets are removed last: removing control characters may make a secret whole.
        """
        redacted = self.secrets.redact(plain_line(text), instance_id, attempt)
        for secret in self.settings.secret_texts:
            redacted = redacted.replace(secret, "[redacted]")
        return shortened(redacted, LONGEST_TEXT)


@dataclass(frozen=True)
class ActionContext:
    action: Action
    trigger: Recorded
    lease: Lease
    dependencies: Dependencies
    began: float = field(default_factory=time.monotonic)

    @property
    def instance_id(self) -> UUID:
        return self.trigger.event.instance_id

    @property
    def settings(self) -> ProvisionerSettings:
        return self.dependencies.settings

    @property
    def provider(self) -> Provider:
        """The provider of the instance. Raises Rejected if it is not configured."""
        name, providers = self.trigger.instance.specification.provider, self.dependencies.providers
        if name not in providers:
            raise Rejected(UNKNOWN_PROVIDER, f"{name!r} is not configured here: choose of {', '.join(providers)}")
        return providers[name]

    async def load(self) -> Instance:
        """The instance, at least as it was at the trigger."""
        return await self.dependencies.journal.load(self.instance_id, at_least=self.trigger.instance.version)

    async def guard(self) -> Instance:
        """The instance as it is now. Call this right before each call that changes the world.

        Raises Overtaken if the trigger no longer asks for this action, LeaseLost.
        """
        instance = await self.load()
        if plan(instance, self.trigger.event) is not self.action:
            raise Overtaken
        self.lease.check()
        return instance

    async def record(self, fact: Event) -> Instance:
        """Record what is already true, even without the lease."""
        return await self.dependencies.journal.record(fact, cause=self.trigger)

    async def conclude(self, inference: Event) -> Instance:
        """Record a conclusion, which only a holder may do. Raises LeaseLost."""
        return await self.dependencies.journal.record(inference, cause=self.trigger, check=self.lease.check)

    async def delay(self, code: str, reason: str, seconds: float) -> None:
        """Record that a try failed, and when the next one comes; does not wait for it. Raises LeaseLost."""
        instance = await self.load()
        await self.conclude(
            ActionDelayed(
                instance_id=instance.id,
                occurred_at=now(),
                action=self.action,
                attempt=instance.attempt,
                number=instance.failed_tries.get(self.action, 0) + 1,
                code=code,
                reason=self.printable(reason),
                next_try_at=now() + timedelta(seconds=seconds),
            )
        )

    async def resume(self) -> None:
        """Record that nothing delays this action any more, if something did. Raises LeaseLost."""
        instance = await self.load()
        if instance.delay is not None and instance.delay.action is self.action:
            await self.conclude(
                ActionResumed(
                    instance_id=instance.id,
                    occurred_at=now(),
                    action=self.action,
                    attempt=instance.attempt,
                    number=instance.delay.number,
                )
            )

    def age_s(self) -> float:
        """Seconds since the trigger was recorded, by the stream's clock then and ours now."""
        return (now() - self.trigger.recorded_at).total_seconds()

    def held_s(self) -> float:
        """Seconds since this holder began. `age_s` also counts the time when nobody worked on it."""
        return time.monotonic() - self.began

    def printable(self, text: str) -> str:
        """Text of a machine, a cloud or a library, made fit for an event."""
        return self.dependencies.printable(text, self.instance_id, self.trigger.instance.attempt)


def now() -> datetime:
    return CLOCK.now()
