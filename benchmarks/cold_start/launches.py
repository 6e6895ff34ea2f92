"""Whole launches in the simulated cloud, in scaled time: from the order to the first token through the router."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from benchmarks.cold_start.figures import Cell, cloud, scenario_of
from benchmarks.cold_start.floor import Floor, floor
from coldstart.embedded.servers import servers
from tests.integration.line import Changes, Line, line

ZONE: Final = "fr-par-2"
IMAGE: Final = "vllm/vllm-openai:v0.32.0"
OPTIONS: Final = ("--max-model-len", "8192")
_PATIENCE_S: Final = 1800.0
_ENDED: Final = ("InstanceReady", "StartupFailed", "ProvisioningFailed", "InstanceFailed")


class Way(StrEnum):
    """How a machine gets what it needs."""

    VLLM = "vLLM fetches"
    HOST = "the host fetches"
    IMAGE = "from a machine image"
    WEIGHTS = "from an image with the weights"

    @property
    def goal(self) -> float:
        """The share of the time before that it may take at most."""
        return {Way.HOST: 0.55, Way.IMAGE: 0.35, Way.WEIGHTS: 0.25}.get(self, 1.0)

    def floor(self, cell: Cell) -> Floor:
        """The least time that it can take."""
        return floor(cell, image=not self.from_image, weights=not self.has_model, compiled=self.has_model)

    @property
    def has_model(self) -> bool:
        """Its machine has the weights before the launch, and what vLLM compiles for them."""
        return self is Way.WEIGHTS

    @property
    def from_image(self) -> bool:
        return self in (Way.IMAGE, Way.WEIGHTS)


class NotLaunchedError(Exception):
    """It did not become ready, or there is no image for it."""


@dataclass(frozen=True)
class Launched:
    """Seconds of the model, from the order to the first token; the intervals are the API's, in seconds of the model."""

    cell: Cell
    way: Way
    seconds: float
    intervals: Sequence[dict[str, Any]]


@asynccontextmanager
async def running(folder: Path, way: Way, time_scale: float) -> AsyncGenerator[Line]:
    """The product, with its looks and pauses as short as the scaled time asks for."""
    changes: Changes = {
        "provisioner": {
            "poll_seconds": 0.05,
            "launch_deadline_seconds": _PATIENCE_S,
            "vllm_image": IMAGE,
            "weights_by_host": way is not Way.VLLM,
            "machine_images": way.from_image,
        },
        "health": {"startup_look_seconds": 0.1},
    }
    async with (
        servers(folder, None, None) as embedded,
        line(folder, embedded.nats_url, embedded.database_url, scenario=cloud(time_scale), changes=changes) as product,
    ):
        await product.offered()
        yield product


async def launch(product: Line, cell: Cell, way: Way, *, time_scale: float, seed: int) -> Launched:
    """Launch it, ask it for a token, and terminate it. Raises NotLaunchedError.

    A machine image that it boots from is made before that, in no time.
    """
    if way.from_image:
        await _image(product, cell, cell.model if way.has_model else None)
    began = time.monotonic()
    instance_id = await product.create(
        model=cell.model, instance_types=[cell.instance_type], zones=[ZONE], vllm_args=list(OPTIONS)
    )
    await product.rehearse(scenario_of(cell, time_scale=time_scale, seed=seed), instance_id)
    event = await product.heard.until(instance_id, *_ENDED, within_s=_PATIENCE_S)
    if event["type"] != "InstanceReady":
        raise NotLaunchedError(f"{cell} did not become ready: {event['data']['event']}")
    await _first_token(product, cell)
    seconds = (time.monotonic() - began) * time_scale
    answer = await product.http.get(f"/instances/{instance_id}/critical-path")
    intervals = answer.json()["intervals"] if answer.is_success else ()
    await product.terminate(instance_id)
    await product.heard.until(instance_id, "InstanceTerminated")
    scaled = [
        {**each, **{name: each[name] * time_scale for name in ("seconds", "slack_seconds")}} for each in intervals
    ]
    return Launched(cell, way, seconds, scaled)


async def _image(product: Line, cell: Cell, model: str | None) -> None:
    body = {"instance_type": cell.instance_type, "zone": ZONE, "model": model, "vllm_args": OPTIONS if model else ()}
    answer = await product.http.post("/machine-images", json=body)
    if not answer.is_success:
        raise NotLaunchedError(f"{cell}: no image is built: {answer.text}")
    build = answer.json()["build"]
    await product.heard.until(build, "InstanceTerminated", "ResourcesReleased")
    if "MachineImageStored" not in product.heard.types(build):
        raise NotLaunchedError(f"{cell}: no image was stored: {product.heard.of(build)[-1]['data']['event']}")
    [sealed] = [each["data"]["event"] for each in product.heard.of(build) if each["type"] == "MachineSealed"]
    if model and not sealed["warmed"]:
        raise NotLaunchedError(f"{cell}: the model of its image was not run: {sealed['not_warmed_because']}")


async def _first_token(product: Line, cell: Cell) -> None:
    """Through the router; asked again until its route is there."""
    question = {"model": cell.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    async with asyncio.timeout(_PATIENCE_S):
        while not (await product.http.post("/v1/chat/completions", json=question)).is_success:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def launches(
    folder: Path,
    cells: Sequence[Cell],
    way: Way,
    *,
    time_scale: float,
    at_once: int,
    seed: int,
    tell: Callable[[Launched], None],
) -> None:
    """One of each cell, so many at the same time, on one product. Says of which there is nothing to tell, and why."""
    some_at_a_time = asyncio.Semaphore(at_once)
    async with running(folder, way, time_scale) as product:

        async def one(cell: Cell) -> None:
            async with some_at_a_time:
                try:
                    tell(await launch(product, cell, way, time_scale=time_scale, seed=seed))
                except NotLaunchedError as error:
                    print(error, file=sys.stderr, flush=True)

        await asyncio.gather(*(one(cell) for cell in cells))
