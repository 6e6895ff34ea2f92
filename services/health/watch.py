"""Whether an attempt must be watched, and which fact follows from several looks or from a deadline. Pure."""

from datetime import datetime
from typing import Final

from services.health.deadlines import due
from services.health.memory import Memory, counted
from services.health.settings import HealthSettings
from services.health.worker_ends import SameEnds
from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status

STARTUP_TIMEOUT: Final = "startup_timeout"
SERVER_STOPPED: Final = "server_stopped"
UNAVAILABLE_TOO_LONG: Final = "unavailable_too_long"


def must_be_watched(instance: Instance, attempt: int) -> bool:
    return instance.watched and instance.attempt == attempt


def verdict(  # noqa: C901, PLR0911, PLR0912 - a match over every status is one idea
    instance: Instance,
    memory: Memory,
    began_at: datetime,
    at: datetime,
    settings: HealthSettings,
    *,
    in_doubt: bool = False,
) -> e.Event | None:
    """The fact that follows from several looks, or from a deadline; `began_at` is when the watch was requested.

    `in_doubt`: no worker may be taken for dead because it is silent.
    """
    memory = counted(memory, instance.status)
    deadline = due(instance, began_at, settings)
    over = deadline is not None and at >= deadline
    given_up = over and not (in_doubt and memory.silent)
    match instance.status:
        case Status.BOOTING | Status.INSTALLING | Status.STARTING:
            if memory.passes >= settings.ready_passes:
                return e.InstanceReady(instance_id=instance.id, occurred_at=at, attempt=instance.attempt)
            if memory.ends is not None and not memory.passes and memory.ends.in_vain(at):
                return _worker_failed(instance, memory.ends, at)
            if not memory.passes and _stopped_s(instance, at) >= settings.stopped_seconds:
                return _server_stopped(instance, at, settings)
            if given_up and not memory.passes:
                return _startup_failed(instance, memory, at, settings)
        case Status.READY:
            if reason := _lost(memory, at, settings, in_doubt=in_doubt):
                return e.HealthLost(
                    instance_id=instance.id,
                    occurred_at=at,
                    attempt=instance.attempt,
                    outage=instance.outages + 1,
                    reason=reason,
                )
            limit = instance.specification.idle_shutdown
            if limit is not None and _idle_s(memory, at) >= limit:
                return e.IdleLimitReached(
                    instance_id=instance.id, occurred_at=at, attempt=instance.attempt, limit_seconds=limit
                )
        case Status.UNAVAILABLE:
            if memory.passes >= settings.restored_after_passes:
                return e.HealthRestored(
                    instance_id=instance.id, occurred_at=at, attempt=instance.attempt, outage=instance.outages
                )
            if given_up and not memory.passes:
                return _unavailable_too_long(instance, memory, at, settings)
        case Status.DRAINING:
            if memory.idle_since and _idle_s(memory, at) >= settings.router_staleness_seconds:
                return e.Drained(instance_id=instance.id, occurred_at=at)
            if over:
                return e.Drained(instance_id=instance.id, occurred_at=at, forced=True)
        case _:
            return None
    return None


def _lost(memory: Memory, at: datetime, settings: HealthSettings, *, in_doubt: bool) -> str | None:
    """Why a ready worker no longer serves; None if it does."""
    if memory.failures >= settings.lost_after_failures and not (in_doubt and memory.silent):
        return memory.last_seen
    stuck_s = (at - memory.stuck_since).total_seconds() if memory.stuck_since else 0.0
    if stuck_s >= settings.hang_seconds:
        return f"the engine hangs: {memory.requests} requests run or wait, and nothing was produced for {stuck_s:.0f} s"
    return None


def _stopped_s(instance: Instance, at: datetime) -> float:
    """For how long its server has been stopped by somebody else."""
    until = instance.powered[-1].until if instance.powered else None
    return (at - until).total_seconds() if until else 0.0


def _server_stopped(instance: Instance, at: datetime, settings: HealthSettings) -> e.StartupFailed:
    message = (
        f"Somebody stopped the server at the provider, and it was not started again within "
        f"{settings.stopped_seconds:g} s. Launch again."
    )
    return e.StartupFailed(
        instance_id=instance.id, occurred_at=at, attempt=instance.attempt, code=SERVER_STOPPED, message=message
    )


def _idle_s(memory: Memory, at: datetime) -> float:
    return (at - memory.idle_since).total_seconds() if memory.idle_since else 0.0


def _last_seen(instance: Instance, memory: Memory) -> str:
    stopped = " The server was stopped at the provider." if instance.powered and not instance.server_on else ""
    return f"Last seen: {memory.last_seen}.{stopped}"


def _startup_failed(instance: Instance, memory: Memory, at: datetime, settings: HealthSettings) -> e.StartupFailed:
    again = "" if instance.emptied_at is None else " since its server started again without its models"
    message = (
        f"Not ready after {settings.startup_seconds:g} s{again}; the last step was {instance.step}. "
        f"{_last_seen(instance, memory)}"
    )
    return e.StartupFailed(
        instance_id=instance.id, occurred_at=at, attempt=instance.attempt, code=STARTUP_TIMEOUT, message=message
    )


def _worker_failed(instance: Instance, ends: SameEnds, at: datetime) -> e.StartupFailed:
    return e.StartupFailed(
        instance_id=instance.id,
        occurred_at=at,
        attempt=instance.attempt,
        code=ends.finding.cause.code,
        message=ends.in_words(),
        output=ends.finding.excerpt,
        longest_context=ends.finding.longest_context,
    )


def _unavailable_too_long(
    instance: Instance, memory: Memory, at: datetime, settings: HealthSettings
) -> e.InstanceFailed:
    limit = f"Unavailable for more than {settings.unavailable_seconds:g} s."
    if instance.models_erased_at is not None:
        limit = f"Its models were not loaded again within {settings.startup_seconds:g} s of the server's restart."
    message = f"{limit} {_last_seen(instance, memory)}"
    return e.InstanceFailed(instance_id=instance.id, occurred_at=at, code=UNAVAILABLE_TOO_LONG, message=message)
