"""How long health waits until the next look, and until a status's deadline. Pure."""

from datetime import datetime, timedelta

from services.health.memory import Memory, counted
from services.health.settings import HealthSettings
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status


def due(instance: Instance, began_at: datetime, settings: HealthSettings) -> datetime | None:
    """The deadline of this status; None without a limit."""
    match instance.status:
        case Status.BOOTING | Status.INSTALLING | Status.STARTING:
            return _loading_since(instance, began_at) + timedelta(seconds=settings.startup_seconds)
        case Status.UNAVAILABLE:
            down = instance.status_since + timedelta(seconds=settings.unavailable_seconds)
            downloading_since = instance.models_erased_at
            if downloading_since is None:
                return down
            return max(down, downloading_since + timedelta(seconds=settings.startup_seconds))
        case Status.DRAINING:
            return instance.status_since + timedelta(seconds=settings.drain_seconds)
        case _:
            return None


def _loading_since(instance: Instance, began_at: datetime) -> datetime:
    """What a full stop has erased is downloaded again."""
    return began_at if instance.emptied_at is None else max(began_at, instance.emptied_at)


def pause(instance: Instance, memory: Memory, began_at: datetime, at: datetime, settings: HealthSettings) -> float:
    """Seconds until the next look; 0 only between consecutive passes that confirm each other."""
    seconds = _rhythm(instance, counted(memory, instance.status), settings)
    deadline = due(instance, began_at, settings)
    left = (deadline - at).total_seconds() if deadline else seconds
    return min(seconds, left) if left > 0 else seconds


def _rhythm(instance: Instance, memory: Memory, settings: HealthSettings) -> float:
    if instance.ip_address is None:
        return settings.reload_seconds
    match instance.status:
        case Status.BOOTING | Status.INSTALLING | Status.STARTING:
            return 0.0 if 0 < memory.passes < settings.ready_passes else settings.startup_look_seconds
        case Status.UNAVAILABLE if memory.passes:
            return settings.startup_look_seconds
        case Status.DRAINING:
            return settings.draining_look_seconds
        case _:
            return settings.ready_look_seconds
