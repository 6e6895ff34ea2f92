"""A terminate at every moment of a launch: nothing is left at the provider."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call
from tests.integration.launches import MILESTONES
from tests.integration.line import INSTANCE_TAG, Line, line

CHANGING = (
    Call.CREATE_SERVER,
    Call.SET_USER_DATA,
    Call.UPDATE_VOLUME,
    Call.POWERON,
    Call.CREATE_SECURITY_GROUP,
    Call.SET_SECURITY_GROUP_RULES,
)
"""The calls by which a launch changes the world."""


async def ended(running: Line, instance_id: str) -> None:
    await running.heard.until(instance_id, "InstanceTerminated")
    assert (await running.show(instance_id))["status"] == "terminated"


async def test_a_terminate_right_after_any_event_of_a_launch_leaves_nothing(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    async with line(tmp_path, nats_url, database_url) as running:

        async def launch_and_end(milestone: str) -> None:
            instance_id = await running.create()
            await running.heard.until(
                instance_id, milestone, "InstanceReady"
            )  # a worker may be faster than its install
            await running.terminate(instance_id)
            await ended(running, instance_id)

        async with asyncio.TaskGroup() as group:
            for milestone in MILESTONES:
                group.create_task(launch_and_end(milestone))
        assert not await running.remaining()


async def test_a_terminate_during_and_after_any_cloud_call_of_a_launch_leaves_nothing(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    interrupted: set[tuple[Call, Moment]] = set()
    due: dict[str, tuple[Call, Moment]] = {}
    terminate: Callable[[str], Awaitable[None]]
    answered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def on_call(subject: Subject, moment: Moment) -> None:
        """Each instance is terminated inside its own call, which goes on only once that is recorded."""
        for tag in subject.tags:  # its first calls may come before we have heard its id
            if tag.startswith(INSTANCE_TAG):
                await answered[tag.removeprefix(INSTANCE_TAG)].wait()
        for instance_id, (call, when) in list(due.items()):
            if (subject.call, moment) == (call, when) and any(instance_id in tag for tag in subject.tags):
                del due[instance_id]
                interrupted.add((call, when))
                await terminate(instance_id)

    async with line(tmp_path, nats_url, database_url, on_call=on_call) as running:
        terminate = running.terminate

        async def launch_and_end(call: Call, moment: Moment) -> None:
            instance_id = await running.create()
            due[instance_id] = (call, moment)
            answered[instance_id].set()
            await ended(running, instance_id)

        async with asyncio.TaskGroup() as group:
            for call in CHANGING:
                for moment in Moment:
                    group.create_task(launch_and_end(call, moment))
        assert interrupted == {(call, moment) for call in CHANGING for moment in Moment}
        assert not await running.remaining()
