"""A machine with rates: several transfers at once, on an injected clock."""

import asyncio

from simulator.host.model import HUB, NETWORK, REGISTRY, MachineModel
from simulator.rates import Rates
from tests.simulator.host.clocks import SteppedClock

RATES = Rates(network=300, registry=300, hub=300)


async def moved_at(model: MachineModel, clock: SteppedClock, megabytes: float, link: str, most: float) -> float:
    """When it was over."""
    await model.move(megabytes * 10**6, {NETWORK, link}, most)
    return clock.now()


async def test_two_downloads_share_the_network_until_one_is_over() -> None:
    clock = SteppedClock()
    model = MachineModel(RATES, clock)
    ends: list[float] = []

    async def both() -> None:
        ends.extend(
            await asyncio.gather(moved_at(model, clock, 1500, REGISTRY, 300), moved_at(model, clock, 3000, HUB, 300))
        )

    await clock.run(both())
    assert ends == [10.0, 15.0]


async def test_a_download_that_is_given_up_leaves_its_bandwidth() -> None:
    clock = SteppedClock()
    model = MachineModel(RATES, clock)
    given_up = asyncio.ensure_future(model.move(10**12, {NETWORK, REGISTRY}))
    kept = asyncio.ensure_future(moved_at(model, clock, 1500, HUB, 300))
    await clock.run(model.sleep(2))
    given_up.cancel()
    await clock.run(asyncio.wait([kept]))
    assert kept.result() == 2 + (1500 - 2 * 150) / 300


async def test_progress_is_told_on_the_way_and_at_the_end() -> None:
    clock = SteppedClock()
    model = MachineModel(RATES, clock)
    told: list[float] = []
    await clock.run(model.move(900 * 10**6, {NETWORK}, report=told.append))
    assert told == [300 * 10**6, 600 * 10**6, 900 * 10**6]


async def test_only_the_first_question_to_the_driver_takes_its_time() -> None:
    clock = SteppedClock()
    model = MachineModel(Rates(driver_seconds=4), clock)
    for _ in range(2):
        await clock.run(model.driver())
    assert clock.now() == 4
