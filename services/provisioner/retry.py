"""How long an action goes on trying. Each failed try is an event, so the budget survives a crash."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.provisioner.provider import TIMED_OUT, ProviderError, Rejected, TryAgain
from services.provisioner.undertaking import Overtaken, Undertaking, now
from shared.bus.lease import LeaseLost
from shared.journal.journal import JournalUnavailable
from shared.lifecycle.errors import LifecycleError
from shared.lifecycle.events import ProvisioningFailed, StartupFailed
from shared.lifecycle.fact import Action
from shared.lifecycle.status import FAILURES
from shared.retry import backoff_s

UNEXPECTED: Final = "unexpected"
_DOING: Final = {
    Action.CREATE: "creating the server",
    Action.RESIZE_VOLUME: "growing the volume",
    Action.POWER_ON: "powering on",
    Action.AWAIT_ADDRESS: "waiting for an address",
    Action.OPEN_PORTS: "opening the ports",
    Action.INSTALL: "installing",
}

log = structlog.get_logger()

Once = Callable[[], Awaitable[None]]


async def translated(u: Undertaking, once: Once) -> None:
    """Run it; whatever surprise it meets becomes a TryAgain, so that the instance's history says what went wrong."""
    try:
        await once()
    except (ProviderError, Overtaken, LeaseLost, JournalUnavailable, LifecycleError):
        raise
    except Exception as error:
        log.exception("action surprised", action=u.action, instance_id=str(u.instance_id))
        raise TryAgain(UNEXPECTED, u.printable(f"{type(error).__name__}: {error}")) from error


async def persist(u: Undertaking, once: Once, *, choices: Callable[[], int] = lambda: 1) -> None:
    """Until it works, or its tries or its deadline are spent, or the provider says never: then the instance fails.

    Each of the `choices` that a try has, as known after it, has tries of its own.
    Where the instance can no longer fail for it (its install has begun, or it serves), this never gives up: it goes on
    as a release does, since an unrestricted machine must not stay so because a cloud had a bad minute.
    """
    tried = False
    while True:
        try:
            await translated(u, once)
        except (Rejected, TryAgain) as error:
            number = (await u.guard()).failed_tries.get(u.action, 0) + 1
            pause = _pause_s(u, error, number, u.settings.longest_backoff_seconds)
            if why := _in_vain(u, error, number, pause, choices(), tried=tried):
                if await fail(u, error.code, why):
                    return
                await u.guard()
                pause = _pause_s(u, error, number, u.settings.longest_release_backoff_seconds)
            await u.delay(error.code, error.message, pause)
            await u.lease.sleep(pause)
            tried = True
        else:
            return


def _pause_s(u: Undertaking, error: ProviderError, number: int, longest: float) -> float:
    asked = error.retry_after if isinstance(error, TryAgain) else None
    return backoff_s(number, u.settings.backoff_seconds, longest, asked)


def _in_vain(
    u: Undertaking, error: ProviderError, number: int, pause: float, choices: int, *, tried: bool
) -> str | None:
    """Why there is no next try; None while there is one.

    The deadline may have passed while nobody held the action: each holder tries twice before it gives up for that.
    """
    if isinstance(error, Rejected):
        return error.message
    if number >= u.settings.launch_tries * choices:
        return f"gave up after {number} tries; the last one: {error.message}"
    if tried and u.age_s() + pause > u.settings.launch_deadline_seconds:
        return f"gave up after {u.age_s():.0f} s; the last try: {error.message}"
    return None


def in_time(u: Undertaking, awaited: str) -> None:
    """Raises Rejected once the action's deadline is past; `awaited` says what it was waiting for.

    The deadline may have passed while nobody held the action: each holder looks for a while of its own.
    """
    if u.age_s() > u.settings.launch_deadline_seconds and u.held_s() > u.settings.longest_backoff_seconds:
        raise Rejected(TIMED_OUT, f"waited {u.age_s():.0f} s for {awaited}")


async def fail(u: Undertaking, code: str, message: str) -> bool:
    """End the instance, saying in which action and why; dropped when that no longer holds. Raises LeaseLost.

    Whether it has failed, with this or before.
    """
    said = u.printable(f"{_DOING[u.action].capitalize()} failed: {message}")
    failure: ProvisioningFailed | StartupFailed
    if u.action is Action.INSTALL:
        attempt = (await u.guard()).attempt
        failure = StartupFailed(instance_id=u.instance_id, occurred_at=now(), attempt=attempt, code=code, message=said)
    else:
        failure = ProvisioningFailed(
            instance_id=u.instance_id, occurred_at=now(), action=u.action, code=code, message=said
        )
    failed = (await u.conclude(failure)).status in FAILURES
    if not failed:
        log.warning("cannot fail for it any more", action=u.action, instance_id=str(u.instance_id), reason=said)
    return failed
