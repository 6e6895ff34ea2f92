"""Asks for the launch of a deployment's replicas, and again with growing pauses while that is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final
from uuid import UUID

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from prometheus_client import Counter
from pydantic import ValidationError

from services.scaler.settings import ScalerSettings
from shared.bus.lease import Lease
from shared.deployments.deployment import Deployment, Replica
from shared.launching import LaunchReply, LaunchRequest, LaunchUnanswered, request_launch
from shared.retry import doubled_s

_LONGEST_UNANSWERED_S: Final = 30.0
"""An api that starts again answers at once."""

_launches: Final = Counter("coldstart_scaler_launches_total", "Launches that were asked for, by outcome", ["outcome"])

log = structlog.get_logger()


@dataclass
class _Tried:
    failures: int
    not_before: float
    refusal: LaunchReply | None = None


class LaunchRequests:
    """Of one deployment. `answered` is called when one was launched, refused, or is unwanted."""

    def __init__(
        self,
        connection: Client,
        settings: ScalerSettings,
        lease: Lease,
        answered: Callable[[UUID, LaunchReply | None], None],
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._lease = lease
        self._answered = answered
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        self._tried: dict[UUID, _Tried] = {}
        self._tried_for: object = None

    @property
    def due_in_s(self) -> float:
        """When the next one may be asked for again; one whose time has come counts no more."""
        pauses = (each.not_before - _now() for each in self._tried.values())
        return min((pause_s for pause_s in pauses if pause_s > 0), default=inf)

    def know(self, deployment: Deployment) -> None:
        """A change of the deployment or of its replicas may have ended what refused a launch."""
        replicas = frozenset(each.instance_id for each in deployment.replicas)
        tried_for = (deployment.wish, deployment.revision, deployment.status_since, replicas)
        if tried_for != self._tried_for:
            self._tried_for = tried_for
            self._tried = {}

    def refusal_of(self, replica: Replica) -> LaunchReply | None:
        """Why it was refused, if that was the last answer."""
        tried = self._tried.get(replica.instance_id)
        return tried.refusal if tried else None

    def begin(self, deployment_id: UUID, replica: Replica) -> None:
        """Ask for it, unless that is being done or was done a moment ago."""
        tried = self._tried.get(replica.instance_id)
        if replica.instance_id in self._under_way or (tried is not None and _now() < tried.not_before):
            return
        task = asyncio.create_task(
            self._ask(LaunchRequest(deployment_id=deployment_id, instance_id=replica.instance_id))
        )
        self._under_way[replica.instance_id] = task
        task.add_done_callback(lambda _: self._under_way.pop(replica.instance_id, None))

    async def close(self) -> None:
        """Wait for no answer any more."""
        asking = tuple(self._under_way.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, request: LaunchRequest) -> None:
        instance_id = request.instance_id
        reply = await self._reply_to(request)
        _launches.labels(reply.outcome if reply else "unanswered").inc()
        if reply is not None and reply.outcome == "launched":
            self._tried.pop(instance_id, None)
        else:
            self._failed(instance_id, reply)
        self._answered(instance_id, reply)

    async def _reply_to(self, request: LaunchRequest) -> LaunchReply | None:
        """None if there was no answer that can be understood."""
        if self._lease.lost:
            return None
        try:
            return await request_launch(self._connection, request, self._settings.launch_answer_seconds)
        except (LaunchUnanswered, NatsError, OSError, ValidationError) as error:
            log.warning("launch not answered", instance_id=str(request.instance_id), reason=str(error) or repr(error))
            return None

    def _failed(self, instance_id: UUID, reply: LaunchReply | None) -> None:
        settings, tried = self._settings, self._tried.get(instance_id)
        failures = tried.failures + 1 if tried else 1
        longest = settings.launch_longest_retry_seconds if reply else _LONGEST_UNANSWERED_S
        pause_s = doubled_s(failures, settings.launch_retry_seconds, max(longest, settings.launch_retry_seconds))
        self._tried[instance_id] = _Tried(failures, _now() + pause_s, reply if reply and reply.code else None)


def _now() -> float:
    return asyncio.get_running_loop().time()
