"""How vLLM loads a model fastest: `python -m benchmarks.load_formats`, with the real vLLM on this machine's processors.

Starts `vllm serve` with a random model in each way that it offers, in turn, with the weights out of the page cache and
in it. Prints the medians, each way's ratio to vLLM's default in the same round, how fast the disk is, and what a way
says that cannot run here. Needs Python 3.11 on x86-64 Linux, and PyTorch's build for CPUs in reach of pip.
"""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.load_formats import environment, log, page_cache
from benchmarks.load_formats.environment import MODELS, Failed
from benchmarks.load_formats.report import load_rows, rows
from benchmarks.load_formats.start import Place, Refused, Start, start
from benchmarks.load_formats.ways import COMPILING, LOADING, NOT_ON_A_CPU, Way


@dataclass
class Measured:
    """The starts of each round by the way's name, without and with the weights in the page cache; and refusals."""

    cold: list[dict[str, Start]] = field(default_factory=list)
    warm: list[dict[str, Start]] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)

    async def round(self, ways: Sequence[Way], place: Place, *, cold: bool = True) -> None:
        """A way that vLLM refuses is not tried again."""
        self.cold.append({})
        self.warm.append({})
        for way in ways:
            for is_cold in (True, False) if cold else (False,):
                if way.name not in self.refusals:
                    await self._start(way, place, cold=is_cold)

    async def _start(self, way: Way, place: Place, *, cold: bool) -> None:
        if not way.eager and not way.kept_caches:
            shutil.rmtree(place.caches, ignore_errors=True)
        into = (self.cold if cold else self.warm)[-1]
        try:
            into[way.name] = one = await start(way, place, cold=cold)
        except Refused as refused:
            self.refusals[way.name] = told = str(refused)
        else:
            told = f"load {one.load_s:.2f} s, ready after {one.ready_s:.1f} s, others took {one.busy:.0%}"
        name = f"round {len(self.warm)}, {way.name}, {'cold' if cold else 'warm'}"
        print(f"  {name}: {told}", file=sys.stderr, flush=True)


async def _sharded(python: Path, model: Path, refusals: dict[str, str]) -> Path:
    try:
        return await environment.sharded(python, model)
    except Failed as failed:
        refusals.update({way.name: log.why_in(str(failed)) for way in LOADING if way.sharded})
        return model


def _chosen(ways: Sequence[Way], only: Sequence[str]) -> list[Way]:
    return [way for way in ways if not only or way.name in only]


def _show(title: str, table: Sequence[dict[str, Start]], ways: Sequence[Way]) -> None:
    shares = [one.busy for each in table for one in each.values()]
    if shares:
        print(f"\n{title} Other programs took {median(shares):.0%} of the processors' time.\n")
        print("\n".join(rows(table, [way.name for way in ways])))


async def main(asked: argparse.Namespace) -> None:
    folder: Path = asked.folder
    python = await environment.installed()
    model = await environment.model(python, asked.model, folder)
    loading, compiling = Measured(), Measured()
    ways = _chosen(LOADING, asked.only)
    sharded = await _sharded(python, model, loading.refusals) if any(way.sharded for way in ways) else model
    place = Place(python, model, sharded, folder / "caches", asked.nice)
    files = page_cache.weights(model)
    print(
        f"vLLM {await environment.version(python)}, {os.cpu_count()} processors; a random model of {asked.model}, "
        f"{page_cache.size(files) / 1e6:,.0f} MB in {len(files)} files; {asked.rounds} rounds, nice {asked.nice}"
    )
    print(f"The disk gives one reader {median([await page_cache.disk_mb_s(files) for _ in range(3)]):,.0f} MB/s.")
    if asked.loads:
        loads = await environment.loads(python, model, asked.loads, asked.nice)
        print(f"\nThe load alone, {asked.loads} rounds in one process:\n")
        print("\n".join(load_rows(loads, page_cache.size(files) / 1e6)))
    for number in range(asked.rounds):
        # Every second round goes backwards, so that no way always follows the same one.
        await loading.round(ways if number % 2 == 0 else ways[::-1], place)
    _show("Nothing is in the page cache.", loading.cold, ways)
    _show("The weights are in the page cache.", loading.warm, ways)
    compiled = _chosen(COMPILING, asked.only)
    for _ in range(asked.rounds):
        await compiling.round(compiled, place, cold=False)
    _show("Compilation, with the weights in the page cache.", compiling.warm, compiled)
    await loading.round(_chosen(NOT_ON_A_CPU, asked.only), place, cold=False)
    print("\nWhat does not run here, in its own words:\n")
    for name, reason in (loading.refusals | compiling.refusals).items():
        print(f"- {name}: {reason}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="0.5B", help="the size of the model (default 0.5B)")
    parser.add_argument("--loads", type=int, default=7, help="rounds of the load alone (default 7)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of whole starts (default 3)")
    parser.add_argument("--only", action="append", default=[], help="a way, such as prefetch; repeat for more")
    parser.add_argument("--nice", type=int, default=0, help="of vLLM: below 0 beside others, as root (default 0)")
    parser.add_argument(
        "--folder", type=Path, default=Path.home() / ".cache" / "coldstart" / "load-formats", help="keeps the models"
    )
    try:
        asyncio.run(main(parser.parse_args()))
    except Failed as failed:
        sys.exit(str(failed))
