"""Cold starts on a model of real machines: `python -m benchmarks.cold_start`, whole launches in scaled time.

Each model is launched on each GPU in the simulated cloud, from the order to the first token through the router, whose
machines are as fast as docs/cold-starts.md says. It prints the table, the critical path of one cell in each way, the
floor and the goals. With the host's download, each machine is then reinstalled. Exit status 1 when a way is slower than
before or far above its floor, or when a launch booted from another image than it should.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cold_start.figures import CELLS, Cell
from benchmarks.cold_start.launches import Launched, NotLaunchedError, Way, WrongImageError, launches, named
from benchmarks.cold_start.report import GOAL_CELL, floor_in_words, goals, of_vllm, path, rows
from shared.logs import configure_logs


async def measured(
    cells: Sequence[Cell], ways: Sequence[Way], *, time_scale: float, at_once: int, seed: int
) -> tuple[dict[Cell, dict[Way, Launched]], list[NotLaunchedError]]:
    """What was launched, and why the others were not. A reinstall follows a first install, with the host's download."""
    table: dict[Cell, dict[Way, Launched]] = {cell: {} for cell in cells}
    missing: list[NotLaunchedError] = []

    def tell(outcome: Launched | NotLaunchedError) -> None:
        if isinstance(outcome, NotLaunchedError):
            missing.append(outcome)
            words = str(outcome)
        else:
            table[outcome.cell][outcome.way] = outcome
            words = f"{outcome.cell}, {outcome.way}: {outcome.seconds:.0f} s, from {named(outcome.machine_image)}"
        print(f"  {words}", file=sys.stderr, flush=True)

    for way in ways:
        if way is Way.REINSTALL:
            continue
        reinstall = way is Way.REINSTALL.base and Way.REINSTALL in ways
        with TemporaryDirectory() as folder:
            await launches(
                Path(folder), cells, way, time_scale=time_scale, at_once=at_once, seed=seed, reinstall=reinstall,
                tell=tell,
            )  # fmt: skip
    return table, missing


async def main(asked: argparse.Namespace) -> None:
    configure_logs("cold_start", "error", "console")
    cells = [cell for cell in CELLS if not asked.only or str(cell) in asked.only]
    ways = [way for way in Way if not asked.ways or way.name.lower() in asked.ways]
    if Way.REINSTALL in ways and Way.REINSTALL.base not in ways:
        ways.insert(0, Way.REINSTALL.base)
    if not cells or not ways:
        sys.exit(f"Unknown cell or way. Cells are {', '.join(map(str, CELLS))}.")
    print(f"seed {asked.seed}, {asked.time_scale:g} seconds of the model in each real one, {asked.at_once} at once\n")
    table, missing = await measured(cells, ways, time_scale=asked.time_scale, at_once=asked.at_once, seed=asked.seed)
    print("\n".join(rows(table, ways)))
    shown = table.get(GOAL_CELL) or table[cells[0]]
    for launched in shown.values():
        print("", *path(launched), sep="\n")
        print(f"  vLLM itself: {of_vllm(launched.cell, launched.way)}")
        print(f"  {floor_in_words(launched.cell, launched.way.floor(launched.cell))}")
    print()
    found = goals(table)
    for goal in found:
        if not goal.reached or not goal.held:
            print(goal)
    failed = [goal for goal in found if goal.held and not goal.reached]
    for error in missing:
        print(f"No result: {error}")
    print(f"{sum(goal.reached for goal in found)} of {len(found)} goals are reached.")
    wrong = [error for error in missing if isinstance(error, WrongImageError)]
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="a cell, such as “7B on L40S”; repeat for more")
    parser.add_argument("--ways", nargs="+", choices=[way.name.lower() for way in Way])
    parser.add_argument("--time-scale", type=float, default=10.0)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("COLDSTART_COLD_START_SEED", "1")))
    asyncio.run(main(parser.parse_args()))
