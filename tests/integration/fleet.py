"""Many launches at once in a cloud that fails now and then in every way it knows, and so may its machines."""

import asyncio
from itertools import product
from random import Random
from typing import Final

from simulator.scenario import Call, Error, Failure, Scenario
from tests.integration.books import FAILED, agrees
from tests.integration.cells import LAUNCHING, PASSES, RELEASING
from tests.integration.line import Line

ZONE: Final = "fr-par-2"
REFUSED_ORDERS: Final = 2
"""How many orders of an L4 in this zone an unkind cloud refuses as out of stock."""

REFUSED_ORDER: Final = Call.CREATE_SERVER, Error.OUT_OF_STOCK
REFUSALS: Final = 6
"""So many calls of one instance are refused, or lose their answer: fewer than the tries that an action has."""


def unreliable(probability: float, seed: int, *, machines: float = 0.0) -> Scenario:
    """Every call fails with this probability, in any way; each stage of a machine's life with that of `machines`."""
    each = probability / len(Error)
    failures = (Failure(call=Call.ANY, error=error, times=None, probability=each) for error in Error)
    return Scenario(seed=seed, failures=tuple(failures), machine_failures=machines, hang=0.5)


def unkind() -> Scenario:
    """All that may come late comes late, and each call of a launch is refused twice and loses its answer once.

    The first orders of an L4 are refused as out of stock, and each leaves a volume.
    """
    errors = (Error.TOO_MANY_REQUESTS, Error.TRANSIENT_STATE, Error.RESET_AFTER)
    sold_out = Failure(
        call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, zone=ZONE, instance_type="L4-1-24G", times=REFUSED_ORDERS
    )
    passing = [Failure(call=call, error=error) for call in LAUNCHING for error in errors]
    return Scenario(
        boot_volume=0.3, tag_visible=0.3, volume_update=0.2, poweron=0.3, address=0.5, poweroff=0.2, detach=0.2,
        hang=0.5, out_of_stock_leaves_volume=True,
        failures=(sold_out, *passing),
    )  # fmt: skip


def drawn_refusals(random: Random) -> tuple[Failure, ...]:
    """Each once, of any call of a launch and of a release; every other order is refused as out of stock as well."""
    calls = dict.fromkeys((*LAUNCHING, *RELEASING))
    drawn = random.sample([each for each in product(calls, PASSES) if each != REFUSED_ORDER], REFUSALS)
    orders = [REFUSED_ORDER] if random.random() < 0.5 else []
    return tuple(Failure(call=call, error=error) for call, error in (*orders, *drawn))


async def launched(running: Line, count: int, *, within_s: float) -> dict[str, str]:
    """What became of each: `ready`, or the code of its failure. The account agrees with the journal by then."""

    async def launch() -> tuple[str, str]:
        instance_id = await running.create(zones=[ZONE])
        event = await running.heard.until(instance_id, "InstanceReady", *FAILED, within_s=within_s)
        if event["type"] == "InstanceReady":
            return instance_id, "ready"
        assert event["data"]["event"]["message"]
        await running.heard.until(instance_id, "ResourcesReleased", within_s=within_s)
        return instance_id, str(event["data"]["event"]["code"])

    became = dict(await asyncio.gather(*(launch() for _ in range(count))))
    await agrees(running, list(became))
    return became


async def ended(running: Line, became: dict[str, str], *, within_s: float) -> None:
    """Those that are ready are terminated; nothing is left then."""

    async def end(instance_id: str) -> None:
        await running.terminate(instance_id)
        await running.heard.until(instance_id, "InstanceTerminated", within_s=within_s)

    await asyncio.gather(*(end(instance_id) for instance_id, outcome in became.items() if outcome == "ready"))
    remaining = await running.remaining()
    assert not remaining, remaining
