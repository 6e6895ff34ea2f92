"""Carries a plan of faults out on the cluster. Each fault heals by itself, and may overlap with others."""

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from shared.journal.streams import LIFECYCLE
from simulator.scenario import Call, Error, Failure
from tests.chaos.faults import NODES, Fault, Kind
from tests.chaos.world import CLOUD, World
from tests.integration.line import INSTANCE_TAG

SURE: Final = 1.0


@dataclass
class Striking:
    """`injected`: when each fault happened, by the event loop's clock. One that found nothing to strike is `missed`."""

    world: World
    injected: defaultdict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    missed: Counter[Kind] = field(default_factory=Counter)
    _healing: set[asyncio.Task[None]] = field(default_factory=set)
    _nodes: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock() for _ in range(NODES)])

    async def play(self, plan: Sequence[Fault]) -> None:
        for fault in plan:
            await asyncio.sleep(fault.after)
            at = asyncio.get_running_loop().time()
            if await self._strike(fault):
                self.injected[fault.kind].append(at)
            else:
                self.missed[fault.kind] += 1
        await self.healed()

    async def healed(self) -> None:
        while self._healing:
            await asyncio.gather(*self._healing)

    def _later(self, healing: Coroutine[Any, Any, None]) -> bool:
        task = asyncio.create_task(healing)
        self._healing.add(task)
        task.add_done_callback(self._healing.discard)
        return True

    async def _strike(self, fault: Fault) -> bool:  # noqa: C901, PLR0911, PLR0912 - one branch for each kind
        world = self.world
        match fault.kind:
            case Kind.KILL:
                return world.replicas[fault.target].signal(signal.SIGKILL)
            case Kind.STALL:
                return self._stall(fault)
            case Kind.NODE_KILL:
                return self._later(self._node_away([int(fault.target)], fault.seconds))
            case Kind.NODE_STALL:
                return self._later(self._node_still(int(fault.target), fault.seconds))
            case Kind.QUORUM:
                both = [int(fault.target), (int(fault.target) + 1) % NODES]
                return self._later(self._node_away(both, fault.seconds))
            case Kind.LEADER:
                return await world.nats.leader_steps_down(LIFECYCLE)
            case Kind.POSTGRES_KILL:
                return self._later(world.postgres.killed(fault.seconds))
            case Kind.POSTGRES_STALL:
                return self._later(world.postgres.stalled(fault.seconds))
            case Kind.CLOUD_CALL:
                call, error = fault.target.split()
                return await self._rehearse((Failure(call=Call(call), error=Error(error)),))
            case Kind.CLOUD_AWAY:
                return self._later(self._cloud_away(fault.seconds))
            case Kind.SERVER_LOST:
                return await self._lose_a_server(fault.dice)

    def _stall(self, fault: Fault) -> bool:
        replica = self.world.replicas[fault.target]
        if replica.still or not replica.signal(signal.SIGSTOP):
            return False
        pid = replica.forked.pid

        async def wake() -> None:
            replica.still = True
            await asyncio.sleep(fault.seconds)
            replica.still = False
            if replica.forked.pid == pid:  # it may have been killed meanwhile
                replica.signal(signal.SIGCONT)

        return self._later(wake())

    async def _node_away(self, numbers: list[int], seconds: float) -> None:
        for number in sorted(numbers):
            await self._nodes[number].acquire()
        try:
            for number in numbers:
                await self.world.nats.nodes[number].kill()
            await asyncio.sleep(seconds)
            for number in numbers:
                await self.world.nats.nodes[number].start()
        finally:
            for number in numbers:
                self._nodes[number].release()

    async def _node_still(self, number: int, seconds: float) -> None:
        async with self._nodes[number]:
            self.world.nats.nodes[number].signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            self.world.nats.nodes[number].signal(signal.SIGCONT)

    async def _cloud_away(self, seconds: float) -> None:
        await self.world.control.post("pause")
        await asyncio.sleep(seconds)
        await self.world.control.post("resume")

    async def _rehearse(self, failures: tuple[Failure, ...]) -> bool:
        scenario = CLOUD.model_copy(update={"failures": failures})
        return (await self.world.control.put("scenario", content=scenario.model_dump_json())).is_success

    async def _lose_a_server(self, dice: float) -> bool:
        """As somebody may in the provider's console: its instance cannot go on."""
        servers = [each for each in (await self.world.account())["servers"] if not each["deleted_at"]]
        ours = [(each["id"], tag) for each in servers for tag in each["tags"] if tag.startswith(INSTANCE_TAG)]
        if not ours:
            return False
        server_id, tag = ours[min(int(dice * len(ours)), len(ours) - 1)]
        self.world.lost.add(tag.removeprefix(INSTANCE_TAG))
        try:
            return (await self.world.control.post(f"servers/{server_id}/kill")).is_success
        except httpx.HTTPError:
            return False
