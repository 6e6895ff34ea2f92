"""When image and weights are there, by connections: `python -m benchmarks.cold_start.connections`.

The transfers of the model of a machine alone, without the product and in no time: so chance is in none of its figures.
"""

import asyncio
from typing import Final

from benchmarks.cold_start.figures import CELLS, Cell, rates_of
from benchmarks.cold_start.floor import packages
from simulator.host.model import DISK_WRITE, HUB, NETWORK, MachineModel
from simulator.host.standins.call import Call
from simulator.host.standins.docker_images import pull_at_rates
from simulator.rates import Rates
from tests.simulator.host.clocks import SteppedClock

COUNTS: Final = (4, 8, 12, 16)
RANGE: Final = 256 * 2**20
"""Bytes of a part of a large file (`weights_ranges.sh`)."""
_PULL: Final = Call("docker", (), {}, out=lambda _: None, err=lambda _: None)


def ends(cell: Cell, connections: int, rates: Rates | None = None) -> tuple[float, float]:
    """The image and the weights, in seconds from the begin of Docker's install and of the weights' download."""
    return asyncio.run(_ends(cell, connections, rates or rates_of(cell)))


async def _ends(cell: Cell, connections: int, rates: Rates) -> tuple[float, float]:
    clock = SteppedClock()
    model = MachineModel(rates, clock)
    some_at_a_time = asyncio.Semaphore(connections)

    async def image() -> float:
        await model.sleep(packages(rates))
        await pull_at_rates(_PULL, "vllm", model)
        return clock.now()

    async def part(size: int) -> None:
        async with some_at_a_time:
            await model.move(size, {NETWORK, HUB, DISK_WRITE}, rates.hub_connection)

    async def weights() -> float:
        sizes = [min(RANGE, size - begin) for size in cell.files for begin in range(0, size, RANGE)]
        await asyncio.gather(*map(part, sizes))
        return clock.now()

    async def both() -> tuple[float, float]:
        return await asyncio.gather(image(), weights())

    return await clock.run(both())


def main() -> None:
    print(f"| image, weights | {' | '.join(f'{count} connections' for count in COUNTS)} |")
    print(f"| --- |{' --- |' * len(COUNTS)}")
    for cell in CELLS:
        rates = rates_of(cell)
        for what, given in (("", rates), (", a slow hub", rates.model_copy(update={"hub_connection": 33.0}))):
            told = [ends(cell, count, given) for count in COUNTS]
            print(f"| {cell}{what} | {' | '.join(f'{image:.0f} s, {weights:.0f} s' for image, weights in told)} |")


if __name__ == "__main__":
    main()
