"""Whether the providers can be used, as the api reports it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime
from typing import Any, Final

from coldstart.api_client import Api, ApiProblem
from shared.offers.provider_status import CheckOutcome

_FIRST_LOOKS_S: Final = 0.3
_LATER_LOOKS_S: Final = 10.0


def in_words(status: dict[str, Any]) -> str:
    """E.g. `scaleway can be used`, what limits it, or why it cannot and when it is tried again."""
    if not status["reason"]:
        limits = "; ".join(f"{check['subject']}: {check['detail']}" for check in limiting(status))
        return f"{status['provider']} can be used{f', with a limit: {limits}' if limits else ''}"
    again = status["next_try_at"]
    when = f" (next try at {datetime.fromisoformat(again).astimezone():%H:%M:%S})" if again else ""
    return f"{status['provider']} cannot be used: {status['reason']}{when}"


def limiting(status: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks because of which some launches cannot succeed; none from an api of an earlier version."""
    return [check for check in status.get("checks", ()) if check["outcome"] == CheckOutcome.LIMITED]


async def changes(
    client: Api, providers: Collection[str], after: datetime, pause: Callable[[float], Any] = asyncio.sleep
) -> AsyncIterator[str]:
    """A line about each provider, and another whenever its reason or a limit changes. Endless.

    What was found before `after` is of an earlier stack, and left out.
    """
    known: dict[str, tuple[str | None, list[dict[str, Any]]]] = {}
    while True:
        try:
            statuses = (await asyncio.to_thread(client.get, "/instance-types"))["providers"]
        except ApiProblem:
            statuses = []  # an api that restarts reports it later
        for status in statuses:
            checked_at = status.get("checked_at")
            if checked_at and datetime.fromisoformat(checked_at) < after:
                continue
            state = (status["reason"], limiting(status))
            if known.get(status["provider"]) != state:
                known[status["provider"]] = state
                yield in_words(status)
        await pause(_LATER_LOOKS_S if set(providers) <= known.keys() else _FIRST_LOOKS_S)
