"""The matrix's cells: a call of the cloud, a way in which it fails, and what has to become of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from simulator.scenario import Call, Error, Failure, Scenario
from tests.integration.line import INSTANCE_TYPE

ZONE: Final = "fr-par-2"
OPENED: Final = "opened"
"""All that a launch asks of the cloud is done; from here on it is SSH and the worker."""
CLOUD: Final = Scenario(never_ssh=True, boot_volume=0.2, tag_visible=0.1, address=0.2, hang=8.5)

LAUNCHING: Final = (
    Call.LIST_SERVERS,
    Call.CREATE_SERVER,
    Call.SET_USER_DATA,
    Call.GET_SERVER,
    Call.GET_VOLUME,
    Call.GET_LOCAL_VOLUME,
    Call.UPDATE_VOLUME,
    Call.POWERON,
    Call.LIST_SECURITY_GROUPS,
    Call.CREATE_SECURITY_GROUP,
    Call.SET_SECURITY_GROUP_RULES,
    Call.UPDATE_SERVER,
)
RELEASING: Final = (
    Call.LIST_SERVERS,
    Call.LIST_VOLUMES,
    Call.GET_SERVER,
    Call.POWEROFF,
    Call.DELETE_SERVER,
    Call.DELETE_VOLUME,
    Call.DELETE_LOCAL_VOLUME,
    Call.LIST_SECURITY_GROUPS,
    Call.DELETE_SECURITY_GROUP,
    Call.LIST_IPS,
)
OF_NO_INSTANCE: Final = {Call.LIST_LOCAL_IMAGES}
"""A launch makes them, but they name no instance: they fail for whoever comes next."""
IN_THE_MATRIX: Final = {*LAUNCHING, *RELEASING, *OF_NO_INSTANCE, Call.DELETE_IP}
OF_ALL_INSTANCES: Final = {
    Call.LIST_SERVER_TYPES,
    Call.LIST_AVAILABILITY,
    Call.LIST_LOCAL_VOLUMES,
    Call.GET_IMAGE,
    Call.GET_PROJECT,
    Call.LIST_QUOTA,
}
"""Asked now and then for all of them: test_scaleway_errors.py has what comes of it, test_offers.py who waits."""
OF_MACHINE_IMAGES: Final = {
    Call.CREATE_SNAPSHOT,
    Call.GET_SNAPSHOT,
    Call.LIST_SNAPSHOTS,
    Call.UPDATE_SNAPSHOT,
    Call.DELETE_SNAPSHOT,
    Call.CREATE_IMAGE,
    Call.LIST_IMAGES,
    Call.DELETE_IMAGE,
    Call.LIST_PRODUCTS,
}
"""Of no launch on a plain image: test_scaleway_images.py lets each fail, test_machine_images.py kills at each."""
GROUPS_OF_CALLS: Final = {Call.ANY, Call.SERVER_ACTION}
UNUSED: Final = {
    Call.TERMINATE,  # deletes local volumes unasked: servers are stopped, then deleted
    Call.LIST_USER_DATA,
    Call.GET_USER_DATA,
    Call.DELETE_USER_DATA,
    Call.GET_SECURITY_GROUP,
    Call.UPDATE_SECURITY_GROUP,
    Call.LIST_SECURITY_GROUP_RULES,
    Call.CREATE_SECURITY_GROUP_RULE,  # all rules are set at once
    Call.GET_SECURITY_GROUP_RULE,
    Call.DELETE_SECURITY_GROUP_RULE,
    Call.CREATE_IP,  # addresses are dynamic
    Call.GET_IP,
    Call.UPDATE_IP,
}
"""The simulated cloud has them, and the adapter never asks for them."""
OF_LOCAL_VOLUMES: Final = {Call.GET_LOCAL_VOLUME, Call.DELETE_LOCAL_VOLUME}
"""Asked of what is no block volume (any more): they say that it is missing before an answer can be lost."""
ONLY_IF: Final = {Call.GET_LOCAL_VOLUME: Failure(call=Call.GET_VOLUME, error=Error.NOT_FOUND)}
"""What has to go wrong before for a call to be made at all."""

PASSES: Final = {
    Error.OUT_OF_STOCK: "out_of_stock",
    Error.TRANSIENT_STATE: "transient_state",
    Error.TOO_MANY_REQUESTS: "rate_limited",
    Error.NOT_FOUND: "server_missing",
    Error.INTERNAL: "cloud_error",
    Error.INTERNAL_AFTER: "cloud_error",
    Error.BAD_GATEWAY: "cloud_unavailable",
    Error.UNAVAILABLE: "cloud_unavailable",
    Error.TIMEOUT_BEFORE: "timed_out",
    Error.TIMEOUT_AFTER: "timed_out",
    Error.RESET_BEFORE: "cloud_unreachable",
    Error.RESET_AFTER: "cloud_unreachable",
}
"""Once, it costs a try; for ever, the instance fails with this code."""
REFUSES: Final = {
    Error.QUOTAS_EXCEEDED: "quota_exceeded",
    Error.PERMISSIONS_DENIED: "permission_denied",
    Error.DENIED_AUTHENTICATION: "invalid_credentials",
    Error.INVALID_ARGUMENTS: "unknown_instance_type",
}
"""The instance fails at once with this code; but for the user data, whose server exists by then, and is adopted."""
AFTER_ITS_EFFECT: Final = {Error.INTERNAL_AFTER, Error.TIMEOUT_AFTER, Error.RESET_AFTER}
SEEN_TO_HAVE_WORKED: Final = {
    Call.CREATE_SERVER,
    Call.UPDATE_VOLUME,
    Call.POWERON,
    Call.CREATE_SECURITY_GROUP,
    Call.UPDATE_SERVER,
}
"""Where the next look tells that a call did its work, its answer is not needed, however often it is lost."""
OF_A_MOVED_SERVER: Final = {Call.UPDATE_SERVER}
"""Asked only when somebody has put the server into another group than the one that it was made in."""
DISPENSABLE: Final = {Call.LIST_SERVERS}
"""A launch that has ordered nothing yet does not need to be told that there is nothing."""


ELSEWHERE: Final = {
    Error.OUT_OF_STOCK: ["commercial_type"],
    Error.QUOTAS_EXCEEDED: ["commercial_type"],
    Error.INVALID_ARGUMENTS: ["commercial_type", "image", "zone"],
}
"""Refusals of a creation that say nothing of another zone or type, with what an invalid argument calls unknown."""
UNKNOWN: Final = {"commercial_type": "unknown_instance_type", "image": "image_not_found", "zone": "unknown_zone"}
LASTING: Final = (
    Error.TRANSIENT_STATE,
    Error.UNAVAILABLE,
    Error.RESET_AFTER,
    Error.PERMISSIONS_DENIED,
)
"""One of each kind: more would be the same wait again. (NOT_FOUND is believed of what is not listed.)"""
ZONES: Final = (ZONE, "pl-waw-2")
TYPES: Final = (INSTANCE_TYPE, "L40S-1-48G")
FIRST, SECOND, IN_THE_OTHER_ZONE = (ZONES[0], TYPES[0]), (ZONES[0], TYPES[1]), (ZONES[1], TYPES[0])


@dataclass(frozen=True)
class Cell:
    """`zone` and `instance_type` limit the failure; `made` is where the server has to be in the end."""

    call: Call
    error: Error
    for_ever: bool
    outcome: str
    argument: str = "commercial_type"
    zone: str | None = None
    instance_type: str | None = None
    made: tuple[str, str] | None = None

    def __str__(self) -> str:
        where = "/".join(each for each in (self.argument, self.zone, self.instance_type) if each)
        return f"{self.call} × {self.error}{' for ever' if self.for_ever else ''} ({where}) → {self.outcome}"

    @property
    def scenario(self) -> Scenario:
        times = None if self.for_ever else 1
        failure = Failure(
            call=self.call,
            error=self.error,
            times=times,
            argument=self.argument,
            zone=self.zone,
            instance_type=self.instance_type,
        )
        before = [ONLY_IF[self.call].model_copy(update={"times": times})] if self.call in ONLY_IF else []
        return CLOUD.model_copy(update={"failures": (*before, failure)})


def launching() -> Iterable[Cell]:
    for call in LAUNCHING:
        for error, code in PASSES.items():
            yield Cell(call, error, False, OPENED)
            too_late = error in AFTER_ITS_EFFECT
            if call in DISPENSABLE or (call in SEEN_TO_HAVE_WORKED and too_late):
                yield Cell(call, error, True, OPENED)
            else:
                yield Cell(call, error, True, "server_missing" if call in OF_LOCAL_VOLUMES and too_late else code)
        for error, code in REFUSES.items():
            made_before = call is Call.SET_USER_DATA
            yield Cell(call, error, False, OPENED if made_before else code)
            if made_before:
                yield Cell(call, error, True, code)


def choosing() -> Iterable[Cell]:
    """Of two zones and two types: the next one where this one is refused, and never two servers."""
    create = partial(Cell, Call.CREATE_SERVER)
    for error, arguments in ELSEWHERE.items():
        for argument in arguments:
            code = UNKNOWN[argument] if error is Error.INVALID_ARGUMENTS else {**PASSES, **REFUSES}[error]
            yield create(error, False, OPENED, argument, made=SECOND)
            yield create(error, True, OPENED, argument, instance_type=TYPES[0], made=SECOND)
            yield create(error, True, OPENED, argument, zone=ZONES[0], made=IN_THE_OTHER_ZONE)
            yield create(error, True, code, argument)
    for error in Error:
        if error not in ELSEWHERE:
            refused = REFUSES.get(error)
            yield create(error, False, refused or OPENED, made=None if refused else FIRST)
        yield Cell(Call.SET_USER_DATA, error, False, OPENED, made=FIRST)
    yield Cell(Call.POWERON, Error.OUT_OF_STOCK, True, "out_of_stock", zone=ZONES[0])


def of_no_instance() -> Iterable[Cell]:
    for call in OF_NO_INSTANCE:
        for error in Error:
            yield Cell(call, error, False, REFUSES.get(error, OPENED))


def releasing() -> Iterable[Cell]:
    """However the cloud fails, nothing keeps an instance from its end."""
    return (Cell(call, error, False, "terminated") for call in RELEASING for error in Error)


def releasing_an_address() -> Iterable[Cell]:
    return (Cell(Call.DELETE_IP, error, False, "terminated") for error in Error)


def long_releasing() -> Iterable[Cell]:
    """For as long as it lasts, the release says what it waits for."""
    for call in (*RELEASING, Call.DELETE_IP):
        for error in LASTING:
            changing = error is Error.TRANSIENT_STATE and call in {Call.DELETE_VOLUME, Call.DELETE_LOCAL_VOLUME}
            if not (call in OF_LOCAL_VOLUMES and error in AFTER_ITS_EFFECT):
                yield Cell(call, error, True, "volume_still_attached" if changing else {**PASSES, **REFUSES}[error])
