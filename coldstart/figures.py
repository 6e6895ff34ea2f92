"""What no event tells of a fleet: costs as they are now, requests in flight, and what was used today."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from coldstart.api_client import Api, ApiProblem
from coldstart.fleet import Fleet
from shared.lifecycle.status import Status

_A_PAGE: Final = 200
_PERIOD_S: Final = 5.0
_LEAVING_S: Final = 1.0


class Used(NamedTuple):
    """Since midnight (UTC)."""

    requests: int
    tokens: int


class Figures:
    """Looked at when somebody asks; entered, again and again on a thread of its own.

    `in_flight` and `used` are by instance. An api that does not answer leaves all as it was: the events tell of that.
    """

    def __init__(self, client: Api, fleet: Fleet, *, period_s: float = _PERIOD_S) -> None:
        self._client = client
        self._fleet = fleet
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)
        self.in_flight: Mapping[str, int] = {}
        self.used: Mapping[str, Used] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """An answer that is still awaited holds up nobody who leaves."""
        self._over.set()
        self._thread.join(_LEAVING_S)

    def look(self) -> None:
        """Raises ApiProblem."""
        now = datetime.now(UTC)
        self._fleet.shown(self._client.pages("/instances", limit=_A_PAGE), now)
        models = {member.model for member in self._fleet.members if member.status is Status.READY}
        explained = [self._client.get("/models/resolve", model=model) for model in sorted(models)]
        self.in_flight = {one["id"]: one["in_flight"] for each in explained for one in each["instances"]}
        usage = self._client.get("/usage", group_by="instance", **{"from": now.date().isoformat()})
        self.used = {row["instance_id"]: _used(row) for row in usage["items"]}

    def _keep_looking(self) -> None:
        while not self._over.wait(self._period_s):
            with suppress(ApiProblem):
                self.look()


def _used(row: Mapping[str, Any]) -> Used:
    return Used(row["requests"], row["prompt_tokens"] + row["completion_tokens"])
