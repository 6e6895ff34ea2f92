"""Every call of the cloud × every way in which it fails: what becomes of the instance, and what is left of it."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import pytest

from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Error, Failure, Scenario
from tests.integration.books import FAILED, agrees
from tests.integration.line import INSTANCE_TAG, Changes, line

QUICK: Final[Changes] = {
    "provisioner": {
        "launch_tries": 2,
        "backoff_seconds": 0.3,
        "call_timeout_seconds": 1.0,
        "tag_visibility_seconds": 0.3,
        "settle_seconds": 1.5,
        "volume_patience_seconds": 0.5,
        "power_off_seconds": 2.0,
        "detach_seconds": 2.0,
    }
}
AT_ONCE: Final = 80
ZONE: Final = "fr-par-2"
OPENED: Final = "opened"
"""All that a launch asks of the cloud is done; from here on it is SSH and the worker."""
CLOUD: Final = Scenario(never_ssh=True, tag_visible=0.1, hang=1.2)

LAUNCHING: Final = (
    Call.LIST_SERVERS,
    Call.CREATE_SERVER,
    Call.SET_USER_DATA,
    Call.GET_SERVER,
    Call.GET_VOLUME,
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
    Call.LIST_SECURITY_GROUPS,
    Call.DELETE_SECURITY_GROUP,
    Call.LIST_IPS,
)

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
DISPENSABLE: Final = {Call.LIST_SERVERS}
"""A launch that has ordered nothing yet does not need to be told that there is nothing."""


@dataclass(frozen=True)
class Cell:
    call: Call
    error: Error
    for_ever: bool
    outcome: str

    def __str__(self) -> str:
        return f"{self.call} × {self.error}{' for ever' if self.for_ever else ''} → {self.outcome}"


def launching() -> Iterable[Cell]:
    for call in LAUNCHING:
        for error, code in PASSES.items():
            yield Cell(call, error, False, OPENED)
            worked = call in SEEN_TO_HAVE_WORKED and error in AFTER_ITS_EFFECT
            yield Cell(call, error, True, OPENED if worked or call in DISPENSABLE else code)
        for error, code in REFUSES.items():
            made_before = call is Call.SET_USER_DATA
            yield Cell(call, error, False, OPENED if made_before else code)
            if made_before:
                yield Cell(call, error, True, code)


def releasing() -> Iterable[Cell]:
    """However the cloud fails, nothing keeps an instance from its end."""
    return (Cell(call, error, False, "terminated") for call in RELEASING for error in Error)


def failing(cell: Cell) -> Scenario:
    failure = Failure(call=cell.call, error=cell.error, times=None if cell.for_ever else 1)
    return CLOUD.model_copy(update={"failures": (failure,)})


def test_every_failure_that_can_be_rehearsed_has_its_place_in_the_matrix() -> None:
    assert PASSES.keys() | REFUSES.keys() == set(Error)
    assert not PASSES.keys() & REFUSES.keys()


@pytest.mark.timeout(110)
async def test_every_call_that_fails_in_any_way_leads_to_its_outcome_and_leaves_what_the_journal_says(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    rehearsed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
    made: set[tuple[str, Call]] = set()

    async def on_call(subject: Subject, moment: Moment) -> None:
        """Nothing is done for an instance before its own failure is in place."""
        for tag in subject.tags:
            if tag.startswith(INSTANCE_TAG) and moment is Moment.ARRIVED:
                instance_id = tag.removeprefix(INSTANCE_TAG)
                await rehearsed[instance_id].wait()
                made.add((instance_id, subject.call))

    async with line(
        tmp_path, nats_url, database_url, scenario=CLOUD, on_call=on_call, changes=QUICK, without="health"
    ) as running:
        room = asyncio.Semaphore(AT_ONCE)

        async def launch(cell: Cell) -> tuple[str, str]:
            """The instance, and what became of it."""
            async with room:
                instance_id = await running.create(zones=[ZONE])
                await running.rehearse(failing(cell), instance_id)
                rehearsed[instance_id].set()
                event = await running.heard.until(instance_id, "PortsOpened", *FAILED)
                await running.rehearse(CLOUD, instance_id)
                if event["type"] == "PortsOpened":
                    return instance_id, OPENED
                await running.heard.until(instance_id, "ResourcesReleased")
                return instance_id, str(event["data"]["event"]["code"])

        async def release(instance_id: str, cell: Cell | None) -> None:
            async with room:
                made.difference_update({(instance_id, call) for call in RELEASING})
                if cell is not None:
                    await running.rehearse(failing(cell), instance_id)
                await running.terminate(instance_id)
                await running.heard.until(instance_id, "InstanceTerminated")

        cells = list(launching())
        played = dict(zip(cells, await asyncio.gather(*(launch(cell) for cell in cells)), strict=True))
        outcomes = {cell: outcome for cell, (_, outcome) in played.items()}
        assert not [f"{cell} became {outcome}" for cell, outcome in outcomes.items() if outcome != cell.outcome]
        assert not [cell for cell, (instance_id, _) in played.items() if (instance_id, cell.call) not in made]
        await agrees(running, [instance_id for instance_id, _ in played.values()])

        opened = [instance_id for instance_id, outcome in played.values() if outcome == OPENED]
        ends = dict(zip_longest(opened, releasing()))
        assert None not in ends, "more ways to end than instances"
        await asyncio.gather(*(release(*end) for end in ends.items()))
        assert not [cell for instance_id, cell in ends.items() if cell and (instance_id, cell.call) not in made]
        assert not await running.remaining()
