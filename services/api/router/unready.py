"""The answer when no worker of a model is ready: how far it is, what holds it up, and when to try again."""

import math
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.api.deployments.table import DeploymentTable
from services.api.deployments.waking import NotWaking, why_it_does_not_wake
from services.api.estimates.estimates import Estimates
from services.api.router.held_up import delay_of_waking, held_up, seconds_to_next_try
from services.api.router.nearest import Nearest
from services.api.router.refusal import Refusal
from shared.deployments.delays import ReplicaDelay
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.description import Description
from shared.eta.estimate import Estimate
from shared.lifecycle.instance import Delay, Instance
from shared.lifecycle.status import ENDING

_UNKNOWN_S: Final = 30
"""Used when there is no estimate: in an outage, without an instance, or while something holds the launch up."""
_LONGEST_S: Final = 3_600
_DO_NOT_RETRY: Final = {"x-should-retry": "false"}
"""Told to the clients of OpenAI and Anthropic, which would otherwise try again by themselves before they say why."""
_DESCRIBED: Final = ("status", "status_label", "tone", "step", "where", "progress_percent", "delay")
"""The fields of the instance's description in the error."""


class Unready:
    def __init__(self, nearest: Nearest, estimates: Estimates, deployments: DeploymentTable) -> None:
        self._nearest = nearest
        self._estimates = estimates
        self._deployments = deployments

    def refusal(self, model: str, organization: UUID | None, at: datetime, waited_for: UUID | None = None) -> Refusal:
        """A 503 about the instance that is most likely to be ready next, or about the deployment that has none yet.

        `waited_for`: the deployment for which the request was held.
        """
        nearest = self._nearest.of(model, organization, at)
        deployment = self._deployment(model, organization, waited_for)
        more: dict[str, Any] = dict.fromkeys(("instance_id", *_DESCRIBED, "eta", "deployment"))
        trouble, headers = None, {}
        if nearest is not None and (deployment is None or self._nearest.may_come(nearest, at)):
            message, retry_after_s = self._about_instance(model, nearest, at, more)
        elif deployment is None:
            message, retry_after_s = f"No instance serves {model} now. POST /instances starts one.", _UNKNOWN_S
        elif (trouble := why_it_does_not_wake(deployment, at)) is None:
            message, retry_after_s = self._about_waking(model, deployment, at, more)
        else:
            message, retry_after_s = (
                f"{model} is not ready: its deployment {deployment.name} {trouble.message}",
                _UNKNOWN_S,
            )
            headers = _DO_NOT_RETRY
        if deployment is not None:
            more["deployment"] = _shown(deployment, trouble, at)
        headers = {"Retry-After": str(retry_after_s), **headers}
        return Refusal(503, "model_not_ready", message, param="model", headers=headers, more=more)

    def _deployment(self, model: str, organization: UUID | None, waited_for: UUID | None) -> Deployment | None:
        """The one that wakes for such a request; else the one that it has waited for; else one that does not wake."""
        if waking := self._deployments.waking(model, organization):
            return waking
        if waited_for is not None:
            return self._deployments.of(waited_for)
        living = self._deployments.serving(model, organization)
        return next((each for each in living if each.status is not DeploymentStatus.DELETED), None)

    def _about_waking(self, model: str, deployment: Deployment, at: datetime, more: dict[str, Any]) -> tuple[str, int]:
        """As `_about_instance`. While a launch is held up, nobody knows how long it takes."""
        message = f"{model} is not ready: its deployment {deployment.name} is waking"
        if (delay := delay_of_waking(deployment, at)) is not None:
            return f"{message}: {held_up(delay, at)}.", _after_next_try(delay, at)
        estimate = self._estimates.cold_start(deployment.next_template, at)
        more["eta"] = estimate.model_dump(mode="json")
        return f"{message}.", _after(estimate)

    def _about_instance(self, model: str, nearest: Instance, at: datetime, more: dict[str, Any]) -> tuple[str, int]:
        """The message, and after how many seconds to try again. Adds to `more`."""
        message, retry_after_s = f"{model} is not ready: its instance is {nearest.status}, ", _UNKNOWN_S
        message += f"{nearest.progress_percent} %"
        message += f": {held_up(nearest.delay, at)}." if nearest.delay else "."
        if self._nearest.is_dead(nearest):
            message = f"{model} is not ready: the engine of its worker is dead."
        more |= Description.of(nearest, at).model_dump(mode="json", include=set(_DESCRIBED))
        more["instance_id"] = str(nearest.id)
        if nearest.error is not None:
            message += f" {nearest.error.message}"
        if nearest.delay is not None:
            retry_after_s = _after_next_try(nearest.delay, at)
        estimate = None if nearest.status in ENDING else self._estimates.of(nearest, at)
        if estimate is not None:
            more["eta"] = estimate.model_dump(mode="json")
            retry_after_s = _after(estimate)
        return message, retry_after_s


def _shown(deployment: Deployment, trouble: NotWaking | None, at: datetime) -> dict[str, Any]:
    delay = None if trouble else delay_of_waking(deployment, at)
    return {
        "id": str(deployment.id),
        "name": deployment.name,
        "status": deployment.status,
        "wanted": deployment.wanted,
        "trouble": trouble and {"code": trouble.code, "message": trouble.message},
        "delay": delay and delay.model_dump(mode="json"),
    }


def _after(estimate: Estimate) -> int:
    return min(max(1, math.ceil(estimate.p50_seconds)), _LONGEST_S)


def _after_next_try(delay: Delay | ReplicaDelay, at: datetime) -> int:
    return min(max(_UNKNOWN_S, seconds_to_next_try(delay, at)), _LONGEST_S)
