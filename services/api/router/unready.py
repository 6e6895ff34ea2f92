"""The answer when no worker of a model is ready: how far it is, what holds it up, and when to try again."""

import math
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.api.estimates.estimates import Estimates
from services.api.router.nearest import Nearest
from services.api.router.refusal import Refusal
from shared.description import Description
from shared.lifecycle.instance import Delay
from shared.lifecycle.status import ENDING

_UNKNOWN_S: Final = 30
"""Used when there is no estimate: in an outage, without an instance, or while something holds the launch up."""
_LONGEST_S: Final = 3_600
_DESCRIBED: Final = ("status", "status_label", "tone", "step", "where", "progress_percent", "delay")
"""The fields of the instance's description in the error."""


class Unready:
    def __init__(self, nearest: Nearest, estimates: Estimates) -> None:
        self._nearest = nearest
        self._estimates = estimates

    def refusal(self, model: str, organization: UUID | None, at: datetime) -> Refusal:
        """A 503 about the instance that is most likely to be ready next."""
        nearest = self._nearest.of(model, organization, at)
        retry_after_s = _UNKNOWN_S
        more: dict[str, Any] = dict.fromkeys(("instance_id", *_DESCRIBED, "eta"))
        if nearest is None:
            message = f"No instance serves {model} now. POST /instances starts one."
        else:
            message = f"{model} is not ready: its instance is {nearest.status}, {nearest.progress_percent} %"
            message += f": {_held_up(nearest.delay, at)}." if nearest.delay else "."
            if self._nearest.is_dead(nearest):
                message = f"{model} is not ready: the engine of its worker is dead."
            more |= Description.of(nearest, at).model_dump(mode="json", include=set(_DESCRIBED))
            more["instance_id"] = str(nearest.id)
            if nearest.error is not None:
                message += f" {nearest.error.message}"
            if nearest.delay is not None:
                retry_after_s = min(max(_UNKNOWN_S, _seconds(nearest.delay, at)), _LONGEST_S)
            estimate = None if nearest.status in ENDING else self._estimates.of(nearest, at)
            if estimate is not None:
                more["eta"] = estimate.model_dump(mode="json")
                retry_after_s = min(max(1, math.ceil(estimate.p50_seconds)), _LONGEST_S)
        headers = {"Retry-After": str(retry_after_s)}
        return Refusal(503, "model_not_ready", message, param="model", headers=headers, more=more)


def _held_up(delay: Delay, at: datetime) -> str:
    again = f"next try at {delay.next_try_at:%H:%M:%S} UTC" if _seconds(delay, at) > 0 else "trying again"
    return f"{delay.reason} ({again})"


def _seconds(delay: Delay, at: datetime) -> int:
    """Until the next try; at most 0 once it is due."""
    return math.ceil((delay.next_try_at - at).total_seconds())
