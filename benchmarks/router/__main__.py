"""The router beside nginx as a plain proxy, vLLM's own router and LiteLLM's proxy: `python -m benchmarks.router`.

All of them on this machine, one after the other, in front of the same fast worker, with the load in another process.
Added is the median less that of the worker asked directly. Exit status 1 where a goal is missed or an answer was wrong.
"""

import argparse
import asyncio
import pstats
import resource
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.router.load import Order, Result
from benchmarks.router.processes import NotStarted, loaded
from benchmarks.router.routers import Target, coldstart, litellm, nginx, the_worker, vllm_router
from shared.logs import configure_logs

FEW, MANY = 1, 32
TLS_ROUNDS = 6
"""So often the router is measured with and without TLS to its workers, in turn."""
STREAMS = 4
EVENTS = 2_000
SLOW_STREAMS = 1_000
SLOW_PAUSE_S = 1.0


A_CHAT, AN_EVENT = "a chat completion", "an event of a stream"
Costs = dict[str, tuple[float, float]]
"""Processor time in µs, without and with TLS to workers."""


@dataclass
class Measured:
    """`cpu_us`: the router's own processor time an answer, which other work on the machine disturbs least."""

    few: Result
    many: Result
    cpu_us: float


def order_for(target: Target, connections: int, seconds: float, *, events: int = 0, pause_s: float = 0.0) -> Order:
    return Order(target.host, target.port, target.key, connections, seconds, events, pause_s, target.model)


async def chats(target: Target, seconds: float) -> Measured:
    few = await loaded(order_for(target, FEW, seconds))
    before = cpu_s(target)
    many = await loaded(order_for(target, MANY, seconds))
    return Measured(few, many, (cpu_s(target) - before) / max(many.answered, 1) * 1e6)


def cpu_s(target: Target) -> float:
    times = psutil.Process(target.pid).cpu_times()
    return times.user + times.system


async def events(target: Target, seconds: float) -> Result:
    return await loaded(order_for(target, STREAMS, seconds, events=EVENTS))


async def secured_events(worker: Target, seconds: float) -> Result:
    """The worker's own TLS costs more than what it sends, and limits every router that speaks it."""
    order = order_for(replace(worker, port=worker.tls_port), STREAMS, seconds, events=EVENTS)
    return await loaded(replace(order, tls=True))


async def slow_streams(target: Target, seconds: float) -> tuple[Result, float, float]:
    """What came of them, and the process's memory before and at most, in MB."""
    process = psutil.Process(target.pid)
    before = most = process.memory_info().rss
    order = order_for(target, SLOW_STREAMS, seconds, events=1_000_000, pause_s=SLOW_PAUSE_S)
    loading = asyncio.create_task(loaded(order))
    while not loading.done():
        most = max(most, process.memory_info().rss)
        await asyncio.wait([loading], timeout=0.1)
    return loading.result(), before / 1e6, most / 1e6


async def with_and_without_tls(worker: Target, secured: Target, seconds: float) -> tuple[Costs, Result]:
    """What the router itself takes on kept connections, in the round of several that was disturbed least.

    And the streams through the router without TLS.
    """
    costs: dict[str, tuple[list[float], list[float]]] = {A_CHAT: ([], []), AN_EVENT: ([], [])}
    with TemporaryDirectory() as folder:
        async with coldstart(Path(folder), worker, worker_tls="off") as plain:
            streamed = await events(plain, seconds)
            for _ in range(TLS_ROUNDS):
                for side, target in enumerate((plain, secured)):
                    costs[A_CHAT][side].append(await cost_us(target, order_for(target, MANY, seconds / 2), 1))
                    streams = order_for(target, STREAMS, seconds / 2, events=EVENTS)
                    costs[AN_EVENT][side].append(await cost_us(target, streams, EVENTS))
    return {kind: (min(without), min(with_tls)) for kind, (without, with_tls) in costs.items()}, streamed


async def cost_us(target: Target, order: Order, parts: int) -> float:
    """Processor time of the router for a part of an answer, in µs. Raises NotStarted for a wrong answer."""
    before = cpu_s(target)
    result = await loaded(order)
    if result.wrong:
        raise NotStarted(f"{target.name}: {result.examples}")
    return (cpu_s(target) - before) / max(result.answered * parts, 1) * 1e6


def table(measured: dict[str, Measured]) -> Table:
    shown = Table("JSON chat completion", title_justify="left")
    for column in (
        "1: req/s",
        "median ms",
        "added ms",
        "p99 ms",
        "32: req/s",
        "median ms",
        "p99 ms",
        "CPU µs",
        "wrong",
    ):
        shown.add_column(column, justify="right")
    alone = measured["worker alone"].few.median_ms
    for name, results in measured.items():
        few, many = results.few, results.many
        shown.add_row(
            name, f"{few.requests_s:,.0f}", f"{few.median_ms:.2f}", f"{few.median_ms - alone:.2f}", f"{few.p99_ms:.2f}",
            f"{many.requests_s:,.0f}", f"{many.median_ms:.2f}", f"{many.p99_ms:.2f}",
            f"{results.cpu_us:.0f}", f"{few.wrong + many.wrong}",
        )  # fmt: skip
    return shown


@dataclass
class Goal:
    name: str
    measured: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured < self.limit

    def __str__(self) -> str:
        wanted = "at least" if self.at_least else "under"
        said = f"{self.name:34}{self.measured:10,.2f}{self.unit}   (goal: {wanted} {self.limit:,}{self.unit})"
        return said if self.met else f"{said}   MISSED"


def goals(measured: dict[str, Measured], stream: Result, most_mb: float, tls: Costs) -> list[Goal]:
    ours, alone = measured["coldstart"], measured["worker alone"].few.median_ms
    plain_us, tls_us = tls[A_CHAT]
    return [
        Goal(f"processor time, {MANY} connections", ours.cpu_us, 150, " µs"),
        Goal("processor time added by TLS", (tls_us / plain_us - 1) * 100, 10, " %"),
        Goal(f"requests/s, {MANY} connections", ours.many.requests_s, 3_000, at_least=True),
        Goal(f"added median, {FEW} connection", ours.few.median_ms - alone, 0.7, " ms"),
        Goal(f"p99, {MANY} connections", ours.many.p99_ms, 10, " ms"),
        Goal(f"events/s, {STREAMS} streams", stream.events_s, 50_000, at_least=True),
        Goal(f"memory, {SLOW_STREAMS:,} slow streams", most_mb, 300, " MB"),
    ]


def beside_others(measured: dict[str, Measured]) -> list[str]:
    ours = measured["coldstart"].many.requests_s
    return [
        f"times {other}'s requests/s   {ours / max(measured[other].many.requests_s, 1e-9):10.2f}"
        for other in measured.keys() - {"coldstart", "worker alone"}
    ]


async def side_by_side(folder: Path, seconds: float, console: Console) -> None:
    async with the_worker(folder) as worker:
        measured = {"worker alone": await chats(worker, seconds)}
        streams = {
            "worker alone": await events(worker, seconds),
            "worker alone with TLS": await secured_events(worker, seconds),
        }
        for router in (nginx, vllm_router, coldstart, litellm):
            try:
                async with router(folder, worker) as target:
                    measured[target.name] = await chats(target, seconds)
                    streams[target.name] = await events(target, seconds)
                    if router is coldstart:
                        held = await slow_streams(target, seconds)
                        tls, streams["coldstart without TLS"] = await with_and_without_tls(worker, target, seconds)
            except NotStarted as reason:
                console.print(f"without {router.__name__}: {reason}", markup=False)
    console.print(table(measured))
    through = ", ".join(f"{name} {streamed.events_s:,.0f}" for name, streamed in streams.items())
    console.print(f"events/s through {STREAMS} streams: {through}", highlight=False)
    stream = streams["coldstart"]
    slow, before, most = held
    console.print(f"slow streams: {before:.0f} MB without, {slow.events_s:,.0f} events/s", highlight=False)
    for kind, (plain_us, tls_us) in tls.items():
        console.print(f"processor time, {kind}: {plain_us:.1f} µs without TLS to workers, {tls_us:.1f} µs with it")
    wanted = goals(measured, stream, most, tls)
    for line in (*map(str, wanted), *beside_others(measured)):
        console.print(line, highlight=False)
    for result in (stream, slow, *(result for each in measured.values() for result in (each.few, each.many))):
        for example in result.examples:
            console.print(f"wrong: {example}", markup=False)
    ours = measured["coldstart"]
    wrong = sum(result.wrong for result in (ours.few, ours.many, stream, slow))
    failed = [goal.name for goal in wanted if not goal.met] + ([f"{wrong} wrong answers"] if wrong else [])
    if failed:
        sys.exit(f"missed: {'; '.join(failed)}")


async def profiled(folder: Path, seconds: float) -> None:
    """Where the api's time goes, of whole answers and of streams; cProfile makes everything slower."""
    stats = folder / "profile"
    async with the_worker(folder) as worker:
        for load, name in ((chats, "whole answers"), (events, "streams")):
            data = folder / name.replace(" ", "-")
            data.mkdir()
            async with coldstart(data, worker, stats) as target:
                await load(target, seconds)
            print(f"\n{name}")
            for order in ("tottime", "cumtime"):
                pstats.Stats(str(stats)).strip_dirs().sort_stats(order).print_stats(40)


async def main(seconds: float, profile: bool) -> None:
    configure_logs("router", "error", "console")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory() as name:
        if profile:
            await profiled(Path(name), seconds)
        else:
            await side_by_side(Path(name), seconds, Console(width=120))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement (default 5)")
    parser.add_argument("--profile", action="store_true", help="print where the api's time goes instead")
    asyncio.run(main(**vars(parser.parse_args())))
