"""One run: the cluster, its clients, a plan of faults, and what became of the promises."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.clients import Clients, clients
from tests.chaos.faults import Fault, Kind
from tests.chaos.promises import broken_promises, told_of
from tests.chaos.striking import Striking
from tests.chaos.world import world

QUIET_S: Final = 150.0
"""After the last fault, so long for every client to come to its end."""


_LINES: Final = 200


@dataclass(frozen=True)
class Struck:
    """Faults of one kind. `median_s`, `longest_s`: until the next inference that began after the fault was answered."""

    times: int
    missed: int
    median_s: float
    longest_s: float


@dataclass(frozen=True)
class Report:
    """`again`: what the clients were told before they asked again. `starts` of each process. `broken`: in words."""

    faults: dict[str, Struck]
    seconds: float
    launched: int
    became: dict[str, int]
    served: dict[str, int]
    again: dict[str, int]
    wait_median_s: float
    wait_p99_s: float
    wait_longest_s: float
    starts: dict[str, int]
    broken: list[str]

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def injected(self) -> int:
        return sum(struck.times for struck in self.faults.values())


async def played(folder: Path, plan: Sequence[Fault], inferences: int) -> Report:
    """Play the plan while `inferences` requests are answered and instances come and go. Nothing is left behind."""
    asyncio.get_running_loop().set_exception_handler(_written_to(folder / "callbacks.log"))
    async with world(folder) as running, clients(running) as users:
        striking = Striking(running)
        began = asyncio.get_running_loop().time()
        broken = await _storm(folder, users, striking, plan, inferences)
        seconds = asyncio.get_running_loop().time() - began
        return _report(users, striking, seconds, broken)


async def _storm(folder: Path, users: Clients, striking: Striking, plan: Sequence[Fault], inferences: int) -> list[str]:
    launching = asyncio.create_task(users.launches())
    try:
        await _first(launching, users.pool_is_ready())
        asking = asyncio.create_task(users.inferences(inferences, over_s=sum(fault.after for fault in plan)))
        try:
            await _first(launching, striking.play(plan))
            async with asyncio.timeout(QUIET_S):
                await asking
                users.stopping.set()
                await launching
        finally:
            asking.cancel()
    except TimeoutError:
        for replica in users.world.replicas.values():
            replica.signal(signal.SIGUSR2)  # its log then says what it awaits
        where = await _where(users)
        said = f"the clients did not come to an end within {QUIET_S:g} s: {where}"
        shown = [await users.shown(instance_id) for instance_id in where]
        logs = [f"{name}: {_end_of(folder / f'{name}.log')}" for name in users.world.replicas]
        return [*users.outcome.wrong, said, *await told_of(users.world.nats.url(), where), *shown, *logs]
    except AssertionError as refused:
        return [*users.outcome.wrong, str(refused)]
    finally:
        launching.cancel()
        with suppress(asyncio.CancelledError, AssertionError):
            await launching
    try:
        async with asyncio.timeout(QUIET_S):
            return await broken_promises(users)
    except TimeoutError:
        return [*users.outcome.wrong, f"the end could not be examined within {QUIET_S:g} s"]


def _end_of(log: Path) -> str:
    """What it says and awaits in the project's own lines."""
    return "\n".join(line for line in log.read_text().splitlines()[-_LINES:] if "/lib/python" not in line)


def _written_to(file: Path) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """The machines of the simulated cloud write to callers that were killed."""

    def write(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        with file.open("a") as log:
            log.write(f"{context.get('message')}: {context.get('exception')!r}\n")

    return write


async def _first(launching: asyncio.Task[None], other: Any) -> None:
    """Wait for `other`; what is wrong with the launches ends it."""
    task = asyncio.ensure_future(other)
    try:
        await asyncio.wait({launching, task}, return_when=asyncio.FIRST_COMPLETED)
        if launching.done():
            launching.result()
        await task
    finally:
        task.cancel()


async def _where(users: Clients) -> dict[str, str]:
    """The instances that live still, by their status."""
    with suppress(AssertionError, TimeoutError):
        async with asyncio.timeout(10):
            return await users.living()
    return {"nobody": "answers"}


def _report(users: Clients, striking: Striking, seconds: float, broken: list[str]) -> Report:
    outcome = users.outcome
    waits = sorted(ended - began for began, ended in outcome.answered)
    return Report(
        faults={kind.value: _struck(kind, striking, outcome.answered) for kind in Kind},
        seconds=round(seconds, 1),
        launched=len(outcome.launched),
        became=dict(outcome.became),
        served=dict(outcome.served),
        again=dict(outcome.again.most_common()),
        wait_median_s=_share(waits, 0.5),
        wait_p99_s=_share(waits, 0.99),
        wait_longest_s=_share(waits, 1.0),
        starts={name: replica.forked.starts for name, replica in users.world.replicas.items()},
        broken=broken,
    )


def _struck(kind: Kind, striking: Striking, answered: list[tuple[float, float]]) -> Struck:
    times = striking.injected[kind]
    next_ones = [(at, [ended for began, ended in answered if began >= at]) for at in times]
    after = sorted(min(ended) - at for at, ended in next_ones if ended)  # the last faults come after the last inference
    return Struck(len(times), striking.missed[kind], _share(after, 0.5), _share(after, 1.0))


def _share(ordered: list[float], share: float) -> float:
    """The value below which this share of them lies, to the millisecond; 0 for none."""
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 3) if ordered else 0.0
