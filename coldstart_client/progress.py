"""A launch on its way: an instance, what happened last, and when it will be ready. Pure."""

from dataclasses import dataclass, field, replace
from typing import Final

from coldstart_client.answers import Estimate, InstanceView, StatusGroup
from coldstart_client.messages import Estimated, InstanceEvent, Message

_ON_ITS_WAY: Final = frozenset({StatusGroup.LAUNCHING, StatusGroup.UNAVAILABLE})


@dataclass(frozen=True)
class Progress:
    """`event` brought the instance here; None at first, and with a mere estimate."""

    instance: InstanceView
    event: InstanceEvent | None = field(default=None, repr=False)

    @property
    def percent(self) -> int:
        return self.instance.progress_percent

    @property
    def doing(self) -> str:
        """In words; its status if that says it all."""
        return self.instance.doing or self.instance.status_label

    @property
    def eta(self) -> Estimate | None:
        """The last estimate; None unless it is on its way."""
        return self.instance.eta

    def after(self, message: Message) -> "Progress | None":
        """None if that is known already, or about something else."""
        match message:
            case InstanceEvent(instance=instance) if instance.id == self.instance.id:
                if instance.version <= self.instance.version:
                    return None
                eta = self.eta if not settled(instance) else None
                return Progress(instance.model_copy(update={"eta": eta}), message)
            case Estimated(instance_id=instance_id, eta=eta) if instance_id == self.instance.id and eta != self.eta:
                return replace(self, instance=self.instance.model_copy(update={"eta": eta}), event=None)
            case _:
                return None


def settled(instance: InstanceView) -> bool:
    """It is ready, or will not be: it has failed, is ending, or is gone."""
    return instance.group not in _ON_ITS_WAY
