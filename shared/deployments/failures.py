"""Why a replica has to be replaced: what its failure says of the place, and what it has cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from shared.deployments.deployment import Replica
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, FAILURES, Status
from shared.lifecycle.wish import FailedPlace

UNAVAILABLE_TOO_LONG: Final = "unavailable_too_long"
ENDED_BY_OTHERS: Final = "ended_by_others"
UNAVAILABLE_S: Final = 300
"""So long a replica may be unavailable before another takes its place."""
PROVEN_S: Final = 600
"""A replica that was ready for so long has nothing to do with failures before it."""
_FIRST_PAUSE_S: Final = 30
_LONGEST_PAUSE_S: Final = 600
_LASTING: Final = 150
"""So many failures in a row take a day. What has failed for so long, such as an empty stock, may do so for weeks."""
_LASTING_PAUSE_S: Final = 3_600


class _Scope(Enum):
    """Which other launches a failure most likely meets again."""

    ZONE = auto()
    INSTANCE_TYPE = auto()
    BOTH = auto()
    """That type in that zone."""


_SCOPES: Final[Mapping[str, _Scope]] = {
    "cloud_error": _Scope.ZONE,
    "cloud_unavailable": _Scope.ZONE,
    "cloud_unreachable": _Scope.ZONE,
    "timed_out": _Scope.ZONE,
    "unknown_zone": _Scope.ZONE,
    "machine_unreachable": _Scope.BOTH,
    "image_not_found": _Scope.BOTH,
    "out_of_stock": _Scope.BOTH,
    "quota_exceeded": _Scope.BOTH,
    "server_lost": _Scope.BOTH,
    "server_missing": _Scope.BOTH,
    "server_off": _Scope.BOTH,
    "server_stopped": _Scope.BOTH,
    "transient_state": _Scope.BOTH,
    "unknown_instance_type": _Scope.BOTH,
    "volume_cannot_grow": _Scope.BOTH,
    "wrong_state": _Scope.BOTH,
    "driver_mismatch": _Scope.INSTANCE_TYPE,
    "no_gpu_found": _Scope.INSTANCE_TYPE,
    "no_kv_cache_room": _Scope.INSTANCE_TYPE,
    "out_of_gpu_memory": _Scope.INSTANCE_TYPE,
}
"""By code. Whatever is not here lies in the model, the wish or the settings, and another place does not help."""


@dataclass(frozen=True)
class Loss:
    """Why a replica's instance serves no more. `place`: where another had better not go.

    `paid`: it has cost something. `proven`: it was ready for long. `outside`: somebody ended it, or a limit did.
    """

    code: str
    message: str
    place: FailedPlace | None
    paid: bool
    proven: bool
    outside: bool = False

    def explained(self, replica: Replica) -> bool:
        """The place explains it. A second failure at a place that was to be avoided is not explained by it."""
        return self.place is not None and self.place not in replica.avoid

    def wasted(self, replica: Replica) -> int:
        """Failures in a row that cost something and that no place explains, with this one."""
        if self.proven:
            return 0
        return replica.wasted + (self.paid and not self.outside and not self.explained(replica))


def loss_of(instance: Instance, now: datetime) -> Loss | None:
    """None if it serves, or may still."""
    if instance.status in FAILURES:
        error = instance.error
        code, message = (error.code, error.message) if error else ("unexpected", "The instance failed.")
        return _loss(instance, code, message)
    if instance.status in ENDING:
        message = "The instance was ended by somebody, or by a limit, and the deployment still wants it."
        return _loss(instance, ENDED_BY_OTHERS, message, outside=True)
    if instance.status is Status.UNAVAILABLE:
        away = (now - instance.status_since).total_seconds()
        if away >= UNAVAILABLE_S:
            return _loss(instance, UNAVAILABLE_TOO_LONG, f"The replica has not answered for {away / 60:.0f} min.")
    return None


def pause_s(failures: int) -> int:
    """Seconds before the next try after so many failures in a row: none after the first."""
    if failures >= _LASTING:
        return _LASTING_PAUSE_S
    return 0 if failures == 1 else min(_FIRST_PAUSE_S * 2 ** min(failures - 2, 10), _LONGEST_PAUSE_S)


def _loss(instance: Instance, code: str, message: str, *, outside: bool = False) -> Loss:
    ready_at = instance.ready_at
    served = 0.0 if ready_at is None else ((instance.ended_at or instance.status_since) - ready_at).total_seconds()
    return Loss(
        code=code,
        message=message,
        place=_place(instance, code),
        paid=instance.resources.server_id is not None,
        proven=served >= PROVEN_S,
        outside=outside,
    )


def _place(instance: Instance, code: str) -> FailedPlace | None:
    scope, zone, instance_type = _SCOPES.get(code), instance.zone, instance.instance_type
    if scope is None or zone is None:
        return None
    match scope:
        case _Scope.ZONE:
            return FailedPlace(zone=zone)
        case _Scope.INSTANCE_TYPE:
            return FailedPlace(instance_type=instance_type)
        case _Scope.BOTH:
            return FailedPlace(zone=zone, instance_type=instance_type)
