"""Why the lifecycle says no.

LifecycleError
├── IntentRefused      the instance, as it is now, does not allow what was asked
├── InstanceUnknown    nothing was ever recorded under this id
└── InstanceConflict   this id was already requested with another specification
"""

from uuid import UUID


class LifecycleError(Exception):
    """Root of every refusal that a caller can act on."""


class IntentRefused(LifecycleError):
    """`intent` is the requested verb; `reason` says, for people, why it is impossible now."""

    def __init__(self, intent: str, reason: str) -> None:
        super().__init__(f"cannot {intent}: {reason}")
        self.intent = intent
        self.reason = reason


class InstanceUnknown(LifecycleError):
    def __init__(self, instance_id: UUID) -> None:
        super().__init__(f"no instance {instance_id}")
        self.instance_id = instance_id


class InstanceConflict(LifecycleError):
    def __init__(self, instance_id: UUID) -> None:
        super().__init__(f"instance {instance_id} was already requested with another specification")
        self.instance_id = instance_id
