"""Every call of the cloud × every way in which it fails: what becomes of the instance, and what is left of it."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import pytest

from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Error
from tests.integration.books import FAILED, agrees
from tests.integration.cells import (
    CLOUD,
    GROUPS_OF_CALLS,
    IN_THE_MATRIX,
    OF_A_MOVED_SERVER,
    OF_ALL_INSTANCES,
    OF_MACHINE_IMAGES,
    OF_NO_INSTANCE,
    OPENED,
    PASSES,
    REFUSES,
    TYPES,
    UNUSED,
    ZONE,
    ZONES,
    Cell,
    choosing,
    launching,
    long_releasing,
    of_no_instance,
    releasing,
    releasing_an_address,
)
from tests.integration.line import INSTANCE_TAG, Changes, Line, line
from tests.simulator.clients import Sdk, ask

pytestmark = pytest.mark.timeout(1800)
"""They take three minutes on two idle cores."""
LEASE: Final = {"lease_seconds": 25.0}
QUICK: Final[Changes] = {
    "progress": LEASE,
    "health": LEASE,
    "api": LEASE,
    "provisioner": {
        **LEASE,
        "launch_tries": 3,
        "backoff_seconds": 0.3,
        "call_timeout_seconds": 8.0,  # well over what the simulated cloud takes, with so many launches at once
        "tag_visibility_seconds": 0.3,
        "settle_seconds": 8.5,
        "volume_patience_seconds": 0.5,
        "power_off_seconds": 2.0,
        "detach_seconds": 2.0,
        "reconcile_seconds": 3600.0,
    },
}
AT_ONCE: Final = 40


def test_every_failure_that_can_be_rehearsed_has_its_place_in_the_matrix() -> None:
    assert PASSES.keys() | REFUSES.keys() == set(Error)
    assert not PASSES.keys() & REFUSES.keys()


def test_every_call_of_the_cloud_has_its_place_in_the_matrix_or_a_reason_why_not() -> None:
    assert set(Call) == IN_THE_MATRIX | OF_ALL_INSTANCES | OF_MACHINE_IMAGES | GROUPS_OF_CALLS | UNUSED
    assert not IN_THE_MATRIX & (OF_ALL_INSTANCES | OF_MACHINE_IMAGES | GROUPS_OF_CALLS | UNUSED)


class Stage:
    """Plays cells on a line. `made` are the calls made for each instance, `calls` those for anybody.

    `put_back` are the instances whose server was not in their group when its ports were opened.
    What did not become what its cell says is in `wrong`.
    """

    def __init__(self) -> None:
        self.made: set[tuple[str, Call]] = set()
        self.calls: set[Call] = set()
        self.wrong: list[str] = []
        self.put_back: set[str] = set()
        self._to_move: set[str] = set()
        self._moved: set[str] = set()
        self._rehearsed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def on_call(self, subject: Subject, moment: Moment) -> None:
        """Nothing is done for an instance before its own failure is in place."""
        self.calls.add(subject.call)
        for tag in subject.tags:
            if tag.startswith(INSTANCE_TAG) and moment is Moment.ARRIVED:
                instance_id = tag.removeprefix(INSTANCE_TAG)
                await self._rehearsed[instance_id].wait()
                self.made.add((instance_id, subject.call))
                if subject.call is Call.POWERON and instance_id in self._to_move - self._moved:
                    await self._move(instance_id)
                if subject.call in OF_A_MOVED_SERVER:
                    self.put_back.add(instance_id)

    @asynccontextmanager
    async def line(self, folder: Path, nats_url: str, database_url: str) -> AsyncGenerator[Line]:
        async with line(
            folder, nats_url, database_url, scenario=CLOUD, on_call=self.on_call, changes=QUICK, without="health"
        ) as self._line:
            await self._line.offered()
            yield self._line

    async def launch(self, cell: Cell | None, **wanted: Any) -> str:
        """The instance, once it is known what became of it."""
        async with self._room:
            instance_id = await self._line.create(**{"zones": [ZONE], **wanted})
            await self._line.rehearse(cell.scenario if cell else CLOUD, instance_id)
            if cell is not None and cell.call in OF_A_MOVED_SERVER:
                self._to_move.add(instance_id)
            self._rehearsed[instance_id].set()
            event = await self._line.heard.until(instance_id, "PortsOpened", *FAILED)
            await self._line.rehearse(CLOUD, instance_id)
            outcome = OPENED if event["type"] == "PortsOpened" else str(event["data"]["event"]["code"])
            if outcome != OPENED:
                await self._line.heard.until(instance_id, "ResourcesReleased")
            if cell is not None:
                instance = event["data"]["instance"]
                made = (instance["zone"], instance["instance_type"])
                self._expect(cell, outcome, cell.outcome)
                self._expect(cell, made, cell.made or made)
                self._expect(cell, self._was_called(instance_id, cell), True)
            return instance_id

    async def release(self, instance_id: str, cell: Cell | None) -> None:
        async with self._room:
            if cell is not None and cell.call is Call.DELETE_IP:
                await self._tag_an_address(instance_id)
            self.made = {made for made in self.made if made[0] != instance_id}
            delayed = self._line.heard.types(instance_id).count("ActionDelayed")
            if cell is not None:
                await self._line.rehearse(cell.scenario, instance_id)
            await self._line.terminate(instance_id)
            if cell is not None and cell.for_ever:
                either = ("ActionDelayed", "InstanceTerminated")
                told = (await self._line.heard.until(instance_id, *either, count=delayed + 1))["data"]["event"]
                self._expect(cell, (told.get("action"), told.get("code")), ("release", cell.outcome))
                await self._line.rehearse(CLOUD, instance_id)
            await self._line.heard.until(instance_id, "InstanceTerminated")
            if cell is not None:
                self._expect(cell, self._was_called(instance_id, cell), True)

    def _was_called(self, instance_id: str, cell: Cell) -> bool:
        return cell.call in OF_NO_INSTANCE or (instance_id, cell.call) in self.made

    def _expect(self, cell: Cell, seen: object, expected: object) -> None:
        if seen != expected:
            self.wrong.append(f"{cell}: {seen} instead of {expected}")

    async def _tag_an_address(self, instance_id: str) -> None:
        """One that somebody made for this instance: nothing here makes any."""
        tags = (await self._server(instance_id))["tags"]
        await ask(Sdk(self._line.simulator).instance.create_ip, zone=ZONE, tags=tags)
        self.calls.discard(Call.CREATE_IP)

    async def _move(self, instance_id: str) -> None:
        """Into the default group, as somebody may do by hand."""
        self._moved.add(instance_id)
        server = await self._server(instance_id)
        (await self._line.control.post(f"servers/{server['id']}/ungroup")).raise_for_status()

    async def _server(self, instance_id: str) -> Any:
        servers = (await self._line.account())["servers"]
        return next(each for each in servers if f"{INSTANCE_TAG}{instance_id}" in each["tags"])

    async def is_over(self) -> None:
        """All went as it should, nothing is left, nobody ever had two servers, every call made has its place here.

        And every server was made in its instance's own group: none had to be put there but those that somebody moved.
        """
        assert not self.wrong
        assert self.put_back == self._moved == self._to_move
        assert not await self._line.remaining()
        assert self.calls <= IN_THE_MATRIX | OF_ALL_INSTANCES
        account = await self._line.account()
        tags_of = {group["id"]: group["tags"] for group in account["security_groups"]}
        outside = {tag for each in account["servers"] for tag in {*each["tags"]} - {*tags_of[each["security_group"]]}}
        assert {each for each in outside if each.startswith(INSTANCE_TAG)} <= {
            INSTANCE_TAG + each for each in self._moved
        }
        owners = [tag for each in account["servers"] for tag in each["tags"]]
        ours = [tag for tag in owners if tag.startswith(INSTANCE_TAG)]
        assert len(ours) == len(set(ours))


async def test_every_call_that_fails_in_any_way_leads_to_its_outcome_and_leaves_what_the_journal_says(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    stage = Stage()
    async with stage.line(tmp_path, nats_url, database_url) as running:
        cells = list(launching())
        launched = await asyncio.gather(*(stage.launch(cell) for cell in cells))
        assert not stage.wrong
        await agrees(running, launched)

        opened = [instance_id for cell, instance_id in zip(cells, launched, strict=True) if cell.outcome == OPENED]
        ends = dict(zip_longest(opened, releasing()))
        assert None not in ends, "more ways to end than instances"
        await asyncio.gather(*(stage.release(*end) for end in ends.items()))
        await stage.is_over()


async def test_the_next_choice_is_taken_by_one_server_alone_and_a_release_outlasts_what_lasts(
    tmp_path: Path, nats_url: str, database_url: str
) -> None:
    stage = Stage()
    async with stage.line(tmp_path, nats_url, database_url) as running:

        async def of_nobody() -> None:
            """One after the other: each failure is the next one's who comes."""
            left = []
            for cell in of_no_instance():
                await running.rehearse(cell.scenario)
                instance_id = await stage.launch(cell)
                assert running.heard.types(instance_id).count("ActionDelayed") == (cell.outcome == OPENED), cell
                if cell.outcome == OPENED:
                    left.append(instance_id)
            await asyncio.gather(*(stage.release(instance_id, None) for instance_id in left))

        cells = list(choosing())
        launched = await asyncio.gather(
            *(stage.launch(cell, zones=ZONES, instance_types=TYPES) for cell in cells),
        )
        assert not stage.wrong
        await agrees(running, launched)
        opened = [instance_id for cell, instance_id in zip(cells, launched, strict=True) if cell.outcome == OPENED]
        ways = [*releasing_an_address(), *long_releasing()]
        opened += await asyncio.gather(*(stage.launch(None) for _ in ways[len(opened) :]))
        await asyncio.gather(of_nobody(), *(stage.release(*end) for end in zip_longest(opened, ways)))
        await stage.is_over()
