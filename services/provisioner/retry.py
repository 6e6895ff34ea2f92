"""How long an action retries. Each failed try is an event, so the budget survives a crash."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.provisioner.action_context import ActionContext, Overtaken, now
from services.provisioner.provider import TIMED_OUT, ProviderError, Rejected, TryAgain
from shared.bus.lease import LeaseLost
from shared.journal.errors import JournalUnavailable
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
    Action.STORE_IMAGE: "storing the machine image",
}

log = structlog.get_logger()

Once = Callable[[], Awaitable[None]]


async def translated(context: ActionContext, once: Once) -> None:
    """Run it. Any unexpected error becomes a TryAgain, so that the instance's history says what went wrong."""
    try:
        await once()
    except (ProviderError, Overtaken, LeaseLost, JournalUnavailable, LifecycleError):
        raise
    except Exception as error:
        log.exception("action failed unexpectedly", action=context.action, instance_id=str(context.instance_id))
        raise TryAgain(UNEXPECTED, context.printable(f"{type(error).__name__}: {error}")) from error


async def persist(
    context: ActionContext, once: Once, *, choices: Callable[[], int] = lambda: 1, deadline_s: float | None = None
) -> None:
    """Retry until it succeeds. If its tries or its deadline are spent, or the provider rejects it, the instance fails.

    Each of the `choices` that a try has, as known after it, has its own number of tries. The deadline is that of every
    action of a launch, unless `deadline_s` is another.
    If the instance can no longer fail for it (its install has begun, or it serves), this never gives up, like a
    release: an unrestricted machine must not stay so because a cloud had a bad minute.
    """
    tried = False
    while True:
        try:
            await translated(context, once)
        except (Rejected, TryAgain) as error:
            number = (await context.guard()).failed_tries.get(context.action, 0) + 1
            pause = _pause_s(context, error, number, context.settings.longest_backoff_seconds)
            limit = deadline_s or context.settings.launch_deadline_seconds
            too_late = tried and context.age_s() + pause > limit
            if why := _in_vain(context, error, number, choices(), too_late=too_late):
                if await fail(context, error.code, why):
                    return
                await context.guard()
                pause = _pause_s(context, error, number, context.settings.longest_release_backoff_seconds)
            await context.delay(error.code, error.message, pause)
            await context.lease.sleep(pause)
            tried = True
        else:
            return


def _pause_s(context: ActionContext, error: ProviderError, number: int, longest: float) -> float:
    asked = error.retry_after if isinstance(error, TryAgain) else None
    return backoff_s(number, context.settings.backoff_seconds, longest, asked)


def _in_vain(context: ActionContext, error: ProviderError, number: int, choices: int, *, too_late: bool) -> str | None:
    """Why there is no next try; None if there is one.

    The deadline may have passed while nobody held the action, so each holder tries twice before it gives up for that.
    """
    if isinstance(error, Rejected):
        return error.message
    if number >= context.settings.launch_tries * choices:
        return f"gave up after {number} tries; the last one: {error.message}"
    if too_late:
        return f"gave up after {context.age_s():.0f} s; the last try: {error.message}"
    return None


def in_time(context: ActionContext, awaited: str, deadline_s: float | None = None) -> None:
    """Raises Rejected once the action's deadline has passed; `awaited` says what it was waiting for.

    The deadline may have passed while nobody held the action, so each holder looks for a while first.
    """
    if (
        context.age_s() > (deadline_s or context.settings.launch_deadline_seconds)
        and context.held_s() > context.settings.longest_backoff_seconds
    ):
        raise Rejected(TIMED_OUT, f"waited {context.age_s():.0f} s for {awaited}")


async def fail(context: ActionContext, code: str, message: str) -> bool:
    """Fail the instance in this action, with a reason; dropped if that no longer holds. Raises LeaseLost.

    Returns whether it has failed, now or before.
    """
    reason = context.printable(f"{_DOING[context.action].capitalize()} failed: {message}")
    failure: ProvisioningFailed | StartupFailed
    if context.action in {Action.INSTALL, Action.STORE_IMAGE}:
        attempt = (await context.guard()).attempt
        failure = StartupFailed(
            instance_id=context.instance_id, occurred_at=now(), attempt=attempt, code=code, message=reason
        )
    else:
        failure = ProvisioningFailed(
            instance_id=context.instance_id, occurred_at=now(), action=context.action, code=code, message=reason
        )
    failed = (await context.conclude(failure)).status in FAILURES
    if failed:
        name = context.trigger.instance.specification.name
        log.error("instance failed", instance_id=str(context.instance_id), instance=name, code=code, reason=reason)
    else:
        log.warning(
            "instance can no longer fail; retrying the action",
            action=context.action,
            instance_id=str(context.instance_id),
            reason=reason,
        )
    return failed
