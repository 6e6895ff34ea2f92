"""The router beside nginx as a plain proxy and LiteLLM's proxy: `python -m benchmarks.router`.

All of them on this machine, one after the other, in front of the same fast worker, with the load in another process.
Added is the median less that of the worker asked directly.
"""

import argparse
import asyncio
import pstats
import resource
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.router.load import Order, Result
from benchmarks.router.processes import NotStarted, loaded
from benchmarks.router.routers import Target, coldstart, litellm, nginx, the_worker
from shared.logs import configure_logs

FEW, MANY = 1, 32
STREAMS = 4
EVENTS = 2_000
SLOW_STREAMS = 1_000
SLOW_PAUSE_S = 1.0


@dataclass
class Measured:
    """`cpu_us`: the router's own processor time an answer, which other work on the machine disturbs least."""

    few: Result
    many: Result
    cpu_us: float


async def chats(target: Target, seconds: float) -> Measured:
    few = await loaded(Order(target.host, target.port, target.key, FEW, seconds))
    before = cpu_s(target)
    many = await loaded(Order(target.host, target.port, target.key, MANY, seconds))
    return Measured(few, many, (cpu_s(target) - before) / max(many.answered, 1) * 1e6)


def cpu_s(target: Target) -> float:
    times = psutil.Process(target.pid).cpu_times()
    return times.user + times.system


async def events(target: Target, seconds: float) -> Result:
    return await loaded(Order(target.host, target.port, target.key, STREAMS, seconds, events=EVENTS))


async def slow_streams(target: Target, seconds: float) -> tuple[Result, float, float]:
    """What came of them, and the process's memory before and at most, in MB."""
    process = psutil.Process(target.pid)
    before = most = process.memory_info().rss
    order = Order(target.host, target.port, target.key, SLOW_STREAMS, seconds, 1_000_000, SLOW_PAUSE_S)
    loading = asyncio.create_task(loaded(order))
    while not loading.done():
        most = max(most, process.memory_info().rss)
        await asyncio.wait([loading], timeout=0.1)
    return loading.result(), before / 1e6, most / 1e6


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


def against_goals(measured: dict[str, Measured], stream: Result, held: tuple[Result, float, float]) -> list[str]:
    ours, alone = measured["coldstart"], measured["worker alone"].few.median_ms
    slow, before, most = held
    held_up = f"{before:.0f} MB without, {slow.events_s:,.0f} events/s, {slow.wrong} wrong"
    said = [
        f"requests/s, {MANY} connections   {ours.many.requests_s:10,.0f}      (goal: at least 3,000)",
        f"added median, {FEW} connection   {ours.few.median_ms - alone:10.2f} ms   (goal: 0.7 ms)",
        f"p99, {MANY} connections          {ours.many.p99_ms:10.2f} ms   (goal: under 10 ms)",
        f"events/s, {STREAMS} streams          {stream.events_s:10,.0f}      (goal: 50,000; {stream.wrong} wrong)",
        f"memory, {SLOW_STREAMS:,} slow streams {most:10.0f} MB   (goal: under 300 MB; {held_up})",
    ]
    for other in measured.keys() - {"coldstart", "worker alone"}:
        ratio = ours.many.requests_s / max(measured[other].many.requests_s, 1e-9)
        said.append(f"times {other}'s requests/s   {ratio:10.2f}")
    return said


async def side_by_side(folder: Path, seconds: float, console: Console) -> None:
    async with the_worker(folder) as worker:
        measured = {"worker alone": await chats(worker, seconds)}
        straight = await events(worker, seconds)
        for router in (nginx, coldstart, litellm):
            try:
                async with router(folder, worker) as target:
                    measured[target.name] = await chats(target, seconds)
                    if router is coldstart:
                        stream = await events(target, seconds)
                        held = await slow_streams(target, seconds)
            except NotStarted as reason:
                console.print(f"without {router.__name__}: {reason}", markup=False)
    console.print(table(measured))
    console.print(f"the worker alone: {straight.events_s:,.0f} events/s")
    for line in against_goals(measured, stream, held):
        console.print(line, highlight=False)
    for result in (stream, held[0], *(result for each in measured.values() for result in (each.few, each.many))):
        for example in result.examples:
            console.print(f"wrong: {example}", markup=False)


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
