"""What a stack costs that does nothing: `python -m benchmarks.idle`. PSS in MB and percent of one core, by process."""

import argparse
import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from coldstart.demo import alone
from coldstart.stack.stack import stack

SETTLING_S = 5.0


def name_of(process: psutil.Process) -> str:
    command = process.cmdline()
    if "-m" in command:
        return command[command.index("-m") + 1]
    return Path(command[0]).name.partition(":")[0] if command else process.name()


def family() -> Iterator[psutil.Process]:
    """The supervising process, and all that it has started."""
    yield psutil.Process()
    yield from psutil.Process().children(recursive=True)


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def main(seconds: float) -> None:
    with TemporaryDirectory() as folder:
        async with stack(alone(Path(folder)), simulated=True):
            await asyncio.sleep(SETTLING_S)
            processes = list(family())
            before, began = {process.pid: cpu_s(process) for process in processes}, time.monotonic()
            await asyncio.sleep(seconds)
            lasted = time.monotonic() - began
            memory: dict[str, float] = {}
            cores: dict[str, float] = {}
            for process in processes:
                name = name_of(process)
                memory[name] = memory.get(name, 0.0) + process.memory_full_info().pss / 1e6
                cores[name] = cores.get(name, 0.0) + (cpu_s(process) - before[process.pid]) / lasted * 100
    for name in sorted(memory, key=lambda name: -memory[name]):
        print(f"{name:<24} {memory[name]:7.1f} MB {cores[name]:6.2f} %")
    print(f"{'all':<24} {sum(memory.values()):7.1f} MB {sum(cores.values()):6.2f} %   (goal: under 500 MB, 3 %)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    asyncio.run(main(parser.parse_args().seconds))
