"""The provisioner killed or stalled between any call and its record, at random, in an unkind cloud.

No launch notices, and none is doubled.

`COLDSTART_CHAOS_RUNS` runs, 20 unless told; run n is drawn from `COLDSTART_CHAOS_SEED` + n. The summary tells both.
"""

import asyncio
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random, SystemRandom
from typing import Final

import pytest

from simulator.cloud.gate import Moment, Subject
from simulator.scenario import Call, Failure
from tests.conftest import SUMMARY
from tests.integration.books import FAILED, agrees, left_by_refused_orders
from tests.integration.fleet import REFUSALS, REFUSED_ORDER, drawn_refusals, unkind
from tests.integration.launches import MILESTONES
from tests.integration.line import INSTANCE_TAG, INSTANCE_TYPE, Changes, Line, line
from tests.integration.replicas import Replicas, replicas

RUNS: Final = int(os.environ.get("COLDSTART_CHAOS_RUNS", "20"))
SEED: Final = int(os.environ.get("COLDSTART_CHAOS_SEED") or SystemRandom().randrange(10**6))
AT_ONCE: Final = 5
"""So many runs share a provisioner: each one's fault is a surprise for the others."""
ZONE: Final = "fr-par-2"
LEASE_S: Final = 1.5
LEASE: Final = {"lease_seconds": LEASE_S}
SWIFT: Final[Changes] = {
    "progress": LEASE,
    "health": LEASE,
    "api": LEASE,
    "provisioner": {
        **LEASE,
        "call_timeout_seconds": 0.45,
        "tag_visibility_seconds": 0.2,
        "settle_seconds": 0.8,
        "power_off_seconds": 2.0,
        "detach_seconds": 2.0,
        "launch_tries": 60,
        "install_tries": 30,
    },
}
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


class Fault(StrEnum):
    KILL = "kill"
    STALL = "stall"


@dataclass(frozen=True)
class Point:
    """Where a run's provisioner meets its fault."""

    call: Call
    moment: Moment
    fault: Fault


@dataclass(frozen=True)
class Run:
    """`refusals`: what else the cloud answers the calls of this instance, each once."""

    seed: int
    launch: Point
    end: Point
    refusals: tuple[Failure, ...]

    def __str__(self) -> str:
        faults = (f"{point.fault} at {point.call}, {point.moment}" for point in (self.launch, self.end))
        return "; ".join((f"{self.seed}", *faults, *(f"{each.call} × {each.error}" for each in self.refusals)))

    @classmethod
    def drawn(cls, seed: int) -> "Run":
        random = Random(seed)  # noqa: S311  reproducible dice, no secret

        def point(calls: tuple[Call, ...]) -> Point:
            return Point(random.choice(calls), random.choice(list(Moment)), random.choice(list(Fault)))

        return cls(seed, point(LAUNCHING), point(RELEASING), drawn_refusals(random))

    @property
    def orders_refused(self) -> int:
        """As out of stock: each leaves a volume that nothing ties to us."""
        return [(refusal.call, refusal.error) for refusal in self.refusals].count(REFUSED_ORDER)


def groups(runs: list[Run], size: int) -> Iterable[list[Run]]:
    return (runs[at : at + size] for at in range(0, len(runs), size))


@dataclass(frozen=True)
class Stall:
    replica: str
    since: float


@dataclass
class Chaos:
    """Strikes each instance's provisioner once at its point, and watches over what is powered on."""

    due: dict[str, Point] = field(default_factory=dict)
    armed: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    doubled: list[str] = field(default_factory=list)
    put_back: list[str] = field(default_factory=list)
    struck: Counter[Fault] = field(default_factory=Counter)
    stalls: dict[str, Stall] = field(default_factory=dict)
    overlaps: int = 0
    reconciled: int = 0
    running: Line | None = None
    provisioners: Replicas | None = None

    async def on_call(self, subject: Subject, moment: Moment) -> None:
        instance_id = next((tag.removeprefix(INSTANCE_TAG) for tag in subject.tags if tag.startswith(INSTANCE_TAG)), "")
        if not instance_id:
            return
        await self.armed[instance_id].wait()  # the first calls may come before its test knows its id
        self._wake_beside(instance_id, subject.caller)
        if subject.call is Call.UPDATE_SERVER:
            self.put_back.append(instance_id)
        if (subject.call, moment) == (Call.POWERON, Moment.DONE):
            await self._count(instance_id)
        point = self.due.get(instance_id)
        if point is not None and (point.call, point.moment) == (subject.call, moment):
            del self.due[instance_id]
            self._strike(point.fault, instance_id, subject.caller)

    def _strike(self, fault: Fault, instance_id: str, caller: str) -> None:
        """The caller, unless another instance's fault has struck it in this very call. Somebody acts at once."""
        assert self.provisioners is not None
        if caller not in self.provisioners.awake:
            return
        self.struck[fault] += 1
        match fault:
            case Fault.KILL:
                self.provisioners.kill(caller)
            case Fault.STALL:
                self.provisioners.stall(caller)
                self.stalls[instance_id] = Stall(caller, time.monotonic())
        if not self.provisioners.awake:
            self.provisioners.start()

    def _wake_beside(self, instance_id: str, caller: str) -> None:
        """The replica that stalled at this instance, once its lease is over and another one is at the same instance."""
        stall = self.stalls.get(instance_id)
        if stall is None or caller == stall.replica or time.monotonic() - stall.since < LEASE_S:
            return
        assert self.provisioners is not None
        del self.stalls[instance_id]
        self.provisioners.wake(stall.replica)
        self.overlaps += 1

    def wake_the_rest(self) -> None:
        """Those whose instance needed nobody any more."""
        assert self.provisioners is not None
        self.stalls.clear()
        for replica in list(self.provisioners.stalled):
            self.provisioners.wake(replica)

    async def balances(self, instance_ids: list[str]) -> None:
        """What was asked for by a replica that stalled or died right then may come after everything else was done.

        No holder knows of it any more: that is what reconciliation is for, here at once and not within a minute.
        """
        assert self.running is not None
        try:
            await agrees(self.running, instance_ids)
        except AssertionError:
            self.reconciled += 1
            self.wake_the_rest()
            for _ in range(REFUSALS):  # what the cloud refuses is left to the next round
                (await self.running.http.post("/reconcile", json={})).raise_for_status()
                with suppress(AssertionError):
                    return await agrees(self.running, instance_ids)
            (await self.running.http.post("/reconcile", json={})).raise_for_status()
            await agrees(self.running, instance_ids)

    async def _count(self, instance_id: str) -> None:
        """Only a power-on can make it two, so this is every moment that matters."""
        assert self.running is not None
        servers = (await self.running.account())["servers"]
        on = [
            each["id"] for each in servers if INSTANCE_TAG + instance_id in each["tags"] and each["state"] != "stopped"
        ]
        if len(on) > 1:
            self.doubled.append(f"{instance_id}: {on}")


@pytest.mark.timeout(60 + 20 * RUNS)
async def test_a_provisioner_killed_or_stalled_at_any_call_neither_doubles_nor_loses_anything(
    tmp_path: Path, nats_url: str, database_url: str, record_property: Callable[[str, object], None]
) -> None:
    record_property(SUMMARY, f"chaos: {RUNS} runs from seed {SEED}")
    chaos = Chaos()
    cloud = unkind().model_copy(update={"tag_visible": 0.1, "failures": (), "unlisted": (INSTANCE_TYPE,)})
    async with (
        line(
            tmp_path, nats_url, database_url, scenario=cloud, on_call=chaos.on_call, changes=SWIFT,
            without="provisioner",
        ) as running,
        replicas(running.settings.provisioner, running.settings.scaleway, tmp_path / "provisioner.log") as provisioners,
    ):  # fmt: skip
        chaos.running, chaos.provisioners = running, provisioners
        await running.offered()

        async def launched(run: Run) -> str:
            instance_id = await running.create(zones=[ZONE])
            await running.rehearse(cloud.model_copy(update={"failures": run.refusals}), instance_id)
            chaos.due[instance_id] = run.launch
            chaos.armed[instance_id].set()
            became = await running.heard.until(instance_id, "InstanceReady", *FAILED)
            assert became["type"] == "InstanceReady", delays(running, instance_id)
            await running.heard.until(instance_id, "PortsOpened")  # which a machine that answers does not wait for
            return instance_id

        async def ended(instance_id: str, run: Run) -> None:
            chaos.due[instance_id] = run.end
            await running.terminate(instance_id)
            await running.heard.until(instance_id, "InstanceTerminated")

        runs = [Run.drawn(SEED + number) for number in range(RUNS)]
        for group in groups(runs, AT_ONCE):
            print(*group, sep="\n")  # noqa: T201  shown when it fails
            ids = await asyncio.gather(*(launched(run) for run in group))
            for instance_id in ids:
                check_history(running, instance_id)
            assert not chaos.doubled
            await chaos.balances(ids)
            await only_one_was_ever_on(running, ids)
            assert not chaos.put_back, "servers that were made in no group of ours"
            await asyncio.gather(*(ended(instance_id, run) for instance_id, run in zip(ids, group, strict=True)))
            await chaos.balances(ids)
            left = left_by_refused_orders(await running.account())
            assert {each for ids in (await running.remaining()).values() for each in ids} == left
            assert not chaos.due, "calls that were never made"
            assert not provisioners.ended()
            chaos.wake_the_rest()
        assert len(left) == sum(run.orders_refused for run in runs), "volumes that nothing ties to us were deleted"
    told = (
        f"{chaos.struck[Fault.KILL]} kills, {chaos.struck[Fault.STALL]} stalls, {chaos.overlaps} of them woken beside "
        f"the next holder; {chaos.reconciled} times something was left to reconciliation"
    )
    record_property(SUMMARY, f"chaos: {told}")
    assert chaos.struck.total() >= RUNS, told  # of two for each: some strike at a call that another one has struck
    assert chaos.overlaps >= chaos.struck[Fault.STALL] // 3, told


def delays(running: Line, instance_id: str) -> list[str]:
    """Why each of its tries failed."""
    facts = [event["data"]["event"] for event in running.heard.of(instance_id) if event["type"] == "ActionDelayed"]
    return [f"{fact['action']}: {fact['code']}, {fact['reason']}" for fact in facts]


def check_history(running: Line, instance_id: str) -> None:
    """Each milestone once. Two holders that overlap may order two servers: then one of them is a duplicate."""
    types = Counter(running.heard.types(instance_id))
    assert types["InstanceReady"] == 1, types
    assert not [name for name, count in types.items() if name in {*MILESTONES} - {"InstanceCreated"} and count > 1]
    created = [event for event in running.heard.of(instance_id) if event["type"] == "InstanceCreated"]
    servers = [event["data"]["event"]["server_id"] for event in created]
    assert len(servers) == len(set(servers)), servers


async def only_one_was_ever_on(running: Line, instance_ids: list[str]) -> None:
    """However many were made, only the server that the journal names was ever powered on."""
    servers = (await running.account())["servers"]
    for instance_id in instance_ids:
        named = running.heard.of(instance_id)[-1]["data"]["instance"]["resources"]["server_id"]
        own = [each for each in servers if INSTANCE_TAG + instance_id in each["tags"]]
        assert [each["id"] for each in own if each["power_ons"]] == [named]
