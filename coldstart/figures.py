"""Figures of a fleet that are in no event: current costs, requests in flight, and today's usage."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from coldstart.api_client import Api, ApiProblem, described
from coldstart.fleet import Fleet
from shared.description import InstanceView
from shared.lifecycle.groups import StatusGroup, statuses_of
from shared.lifecycle.status import Status

_A_PAGE: Final = 200
_STANDING: Final = statuses_of(*(group for group in StatusGroup if group is not StatusGroup.GONE))
_PERIOD_S: Final = 5.0
_LEAVING_S: Final = 1.0


class UsageToday(NamedTuple):
    """Since midnight (UTC)."""

    requests: int
    tokens: int


NOTHING: Final = UsageToday(0, 0)


class Figures:
    """Read on demand; inside `with`, also repeatedly on a separate thread.

    `in_flight` and `used` are by instance. Without an answer of the api they stay; the events report that.
    """

    def __init__(self, client: Api, fleet: Fleet, *, period_s: float = _PERIOD_S) -> None:
        self._client = client
        self._fleet = fleet
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, daemon=True)
        self.in_flight: Mapping[UUID, int] = {}
        self.used: Mapping[UUID, UsageToday] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Does not wait for a pending answer."""
        self._over.set()
        self._thread.join(_LEAVING_S)

    def look(self) -> list[dict[str, Any]]:
        """Returns the api's rows of all instances that are not gone. Raises ApiProblem."""
        now = datetime.now(UTC)
        rows = list(self._client.pages("/instances", limit=_A_PAGE, status=_STANDING))
        self._fleet.shown([described(InstanceView, row) for row in rows], now)
        models = {one.instance.model for one in self._fleet.members if one.instance.status is Status.READY}
        explained = [self._client.get("/models/resolve", model=model) for model in sorted(models)]
        self.in_flight = {UUID(one["id"]): one["in_flight"] for each in explained for one in each["instances"]}
        usage = self._client.get("/usage", group_by="instance", **{"from": now.date().isoformat()})
        self.used = {UUID(row["instance_id"]): _used(row) for row in usage["items"]}
        return rows

    def of(self, instance_id: UUID) -> dict[str, int]:
        """The figures of one instance, for a script."""
        used = self.used.get(instance_id, NOTHING)
        in_flight = self.in_flight.get(instance_id, 0)
        return {"in_flight": in_flight, "requests_today": used.requests, "tokens_today": used.tokens}

    def _keep_looking(self) -> None:
        while not self._over.wait(self._period_s):
            with suppress(ApiProblem):
                self.look()


def _used(row: Mapping[str, Any]) -> UsageToday:
    return UsageToday(row["requests"], row["prompt_tokens"] + row["completion_tokens"])
