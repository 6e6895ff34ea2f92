"""Whether the providers can be used, as the api reports it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime
from typing import Any, Final

from coldstart.api_client import Api, ApiProblem

_FIRST_LOOKS_S: Final = 0.3
_LATER_LOOKS_S: Final = 10.0


def in_words(status: dict[str, Any]) -> str:
    """E.g. `scaleway can be used`, or why it cannot and when it is tried again."""
    if not status["reason"]:
        return f"{status['provider']} can be used"
    again = status["next_try_at"]
    when = f" (next try at {datetime.fromisoformat(again).astimezone():%H:%M:%S})" if again else ""
    return f"{status['provider']} cannot be used: {status['reason']}{when}"


async def changes(
    client: Api, providers: Collection[str], pause: Callable[[float], Any] = asyncio.sleep
) -> AsyncIterator[str]:
    """A line about each provider, and another whenever its reason changes. Endless."""
    known: dict[str, str | None] = {}
    while True:
        try:
            statuses = (await asyncio.to_thread(client.get, "/instance-types"))["providers"]
        except ApiProblem:
            statuses = []  # an api that restarts reports it later
        for status in statuses:
            if known.get(status["provider"], "") != status["reason"]:
                known[status["provider"]] = status["reason"]
                yield in_words(status)
        await pause(_LATER_LOOKS_S if set(providers) <= known.keys() else _FIRST_LOOKS_S)
