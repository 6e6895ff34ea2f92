"""`make chaos`: a plan of faults against a cluster of three NATS nodes and two of each service.

A plan is drawn from a seed, or read from the file that a failed run has written. `--shrink` looks for the shortest part
of that plan which still breaks a promise.
"""

import argparse
import asyncio
import faulthandler
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Final

from tests.chaos.faults import Fault, drawn, hurried
from tests.chaos.run import Report, played
from tests.chaos.shrinking import shrunk

MEMORY: Final = Path("/dev/shm")  # noqa: S108  a folder of its own is made in it


def main() -> int:
    options = _options()
    faulthandler.register(signal.SIGUSR1)
    if options.replay:
        saved = json.loads(options.replay.read_text())
        plan, inferences = tuple(Fault.read(each) for each in saved["plan"]), saved["inferences"]
    else:
        plan, inferences = drawn(options.seed, options.faults, options.pause), options.inferences
        print(f"{len(plan)} faults, seed {options.seed}, {inferences} inferences", flush=True)
    if options.shrink:
        return asyncio.run(_shrink(options, plan, inferences))
    report = asyncio.run(_play(options, plan, inferences))
    print(json.dumps(report.written(), indent=2))
    if options.report:
        options.report.write_text(json.dumps(report.written() | {"seed": options.seed}, indent=2) + "\n")
    if not report.broken:
        return 0
    _save(options.failure, plan, inferences)
    print(f"\nOnce more: make chaos CHAOS='--replay {options.failure}'\nA shorter plan: … --replay … --shrink")
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--inferences", type=int, default=3000)
    parser.add_argument(
        "--pause", type=float, default=0.7, help="between two faults, in seconds (default: %(default)s)"
    )
    parser.add_argument("--replay", type=Path, help="the plan that a failed run has written")
    parser.add_argument("--shrink", action="store_true", help="leave out of the plan whatever is not needed to fail")
    parser.add_argument("--tries", type=int, default=60, help="runs in search of a shorter plan (default: %(default)s)")
    parser.add_argument("--failure", type=Path, default=Path("chaos-failure.json"), help="where a plan is written")
    parser.add_argument("--report", type=Path, help="where the figures are written")
    parser.add_argument("--logs", type=Path, help="keep the logs in this new folder")
    return parser.parse_args()


async def _play(options: argparse.Namespace, plan: Sequence[Fault], inferences: int) -> Report:
    if options.logs:
        options.logs.mkdir(parents=True)
        return await played(options.logs, plan, inferences)
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="coldstart-chaos-", dir=place) as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o711)  # PostgreSQL, as another user, enters it
        return await played(Path(folder), plan, inferences)


async def _shrink(options: argparse.Namespace, plan: Sequence[Fault], inferences: int) -> int:
    options.logs = None
    runs = 0

    async def breaks(part: Sequence[Fault]) -> bool:
        nonlocal runs
        runs += 1
        report = await _play(options, hurried(part), inferences * len(part) // len(plan))
        print(f"run {runs}: {len(part)} faults, {report.broken[:1] or 'nothing broke'}", flush=True)
        return bool(report.broken)

    shortest = await shrunk(
        plan, breaks, tries=options.tries, found=lambda part: _save(options.failure, hurried(part), inferences)
    )
    print(*hurried(shortest), sep="\n")
    return 0


def _save(file: Path, plan: Sequence[Fault], inferences: int) -> None:
    written = {"inferences": inferences, "plan": [fault.written() for fault in plan]}
    file.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
