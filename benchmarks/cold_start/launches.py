"""Whole launches in the simulated cloud, in scaled time: from the order to the first token through the router."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
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
_UNUSABLE: Final = "MachineImageUnusable"
_ENDED: Final = ("InstanceReady", "StartupFailed", "ProvisioningFailed", "InstanceFailed")


class Way(StrEnum):
    """How a machine gets what it needs."""

    VLLM = "vLLM fetches"
    HOST = "the host fetches"
    IMAGE = "from a machine image"
    WEIGHTS = "from an image with the weights"
    REINSTALL = "a reinstall"

    @property
    def goal(self) -> float:
        """The share of the time of its `base` that it may take at most."""
        return {Way.HOST: 0.55, Way.IMAGE: 0.35, Way.WEIGHTS: 0.25, Way.REINSTALL: 0.3}.get(self, 1.0)

    @property
    def base(self) -> "Way":
        """What it is compared with: a reinstall with the first install on its machine."""
        return Way.HOST if self is Way.REINSTALL else Way.VLLM

    def floor(self, cell: Cell) -> Floor:
        """The least time that it can take."""
        image = not self.from_image and self is not Way.REINSTALL
        least = floor(cell, image=image, weights=not self.has_model, compiled=self.has_model)
        return replace(least, before=0.0) if self is Way.REINSTALL else least

    @property
    def has_model(self) -> bool:
        """Its machine has the weights before the launch, and what vLLM compiles for them."""
        return self in (Way.WEIGHTS, Way.REINSTALL)

    @property
    def from_image(self) -> bool:
        return self in (Way.IMAGE, Way.WEIGHTS)

    def boots_from(self, machine_image: str | None, cell: Cell, images: Mapping[str, str | None]) -> bool:
        """Whether its machine should have booted from it; `images`: the models of those that were built for this.

        None is the plain image. A newer image without a model, of the same type, does as well.
        """
        if machine_image is None or not self.from_image:
            return machine_image is None and not self.from_image
        return machine_image in images and images[machine_image] == (cell.model if self.has_model else None)


class NotLaunchedError(Exception):
    """It did not become ready, or there is no image for it."""


class WrongImageError(NotLaunchedError):
    """It booted from another image than its way asks for, so its time says nothing of that way."""


@dataclass(frozen=True)
class Launched:
    """Seconds of the model, from the order to the first token; the intervals are the API's, in seconds of the model.

    `machine_image`: from which it booted; None: the provider's plain image.
    """

    cell: Cell
    way: Way
    seconds: float
    intervals: Sequence[dict[str, Any]]
    machine_image: str | None = None


@asynccontextmanager
async def running(folder: Path, way: Way, time_scale: float) -> AsyncGenerator[Line]:
    """The product, with its looks and pauses as short as the scaled time asks for."""
    changes: Changes = {
        "provisioner": {
            "poll_seconds": 0.05,
            "launch_deadline_seconds": _PATIENCE_S,
            "vllm_image": IMAGE,
            "weights_by_host": way is not Way.VLLM,
            # A simulated disk gives files that are sparse, which this computer's processors would have to read.
            "weights_read_ahead": False,
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


def named(machine_image: str | None) -> str:
    """In words."""
    return "the plain image" if machine_image is None else f"machine image {machine_image}"


@dataclass(frozen=True)
class Launches:
    """On one product. `images`: the models of the machine images that were built for these launches, by image."""

    product: Line
    time_scale: float
    seed: int
    images: dict[str, str | None] = field(default_factory=dict)

    async def of(self, cell: Cell, way: Way, *, reinstall: bool) -> AsyncGenerator[Launched]:
        """Launch it, ask it for a token, perhaps `reinstall` it and ask once more, and terminate it.

        A machine image that it boots from is made before that, in no time. Raises NotLaunchedError.
        """
        if way.from_image:
            await self._build(cell, way)
        began = time.monotonic()
        instance_id = await self.product.create(
            model=cell.model, instance_types=[cell.instance_type], zones=[ZONE], vllm_args=list(OPTIONS)
        )
        await self.product.rehearse(scenario_of(cell, time_scale=self.time_scale, seed=self.seed), instance_id)
        yield await self._measured(instance_id, cell, way, began=began)
        if reinstall:
            began = time.monotonic()
            (await self.product.http.post(f"/instances/{instance_id}/reinstall")).raise_for_status()
            yield await self._measured(instance_id, cell, Way.REINSTALL, began=began)
        await self.product.terminate(instance_id)
        await self.product.heard.until(instance_id, "InstanceTerminated")

    async def _measured(self, instance_id: str, cell: Cell, way: Way, *, began: float) -> Launched:
        """Once its attempt is over and it has answered. `began`: the monotonic clock at its order."""
        heard, attempt = self.product.heard, 2 if way is Way.REINSTALL else 1
        event = await heard.until(instance_id, *_ENDED, count=attempt, within_s=_PATIENCE_S)
        if event["type"] != "InstanceReady":
            raise NotLaunchedError(f"{cell}, {way}: did not become ready: {event['data']['event']}")
        await self._first_token(cell)
        seconds = (time.monotonic() - began) * self.time_scale
        instance = event["data"]["instance"]
        booted_from = instance.get("machine_image")
        if way is not Way.REINSTALL and not way.boots_from(booted_from, cell, self.images):
            why = [fact["data"]["event"]["reason"] for fact in heard.of(instance_id) if fact["type"] == _UNUSABLE]
            raise WrongImageError(f"{cell}, {way}: booted from {named(booted_from)}. {' '.join(why)}".rstrip())
        return Launched(cell, way, seconds, await self._path(instance_id, instance["version"]), booted_from)

    async def _path(self, instance_id: str, version: int) -> list[dict[str, Any]]:
        """The intervals of its newest attempt, in seconds of the model."""
        await self.product.timeline_up_to(instance_id, version)
        answer = await self.product.http.get(f"/instances/{instance_id}/critical-path")
        return [
            {**each, **{name: each[name] * self.time_scale for name in ("seconds", "slack_seconds")}}
            for each in (answer.json()["intervals"] if answer.is_success else ())
        ]

    async def _build(self, cell: Cell, way: Way) -> None:
        """An image of the cell's type, with the cell's model if the way asks for it."""
        product, model = self.product, cell.model if way.has_model else None
        body = {"instance_type": cell.instance_type, "zone": ZONE, "model": model}
        body |= {"vllm_args": OPTIONS if model else ()}
        answer = await product.http.post("/machine-images", json=body)
        if not answer.is_success:
            raise NotLaunchedError(f"{cell}: no image is built: {answer.text}")
        build = answer.json()["build"]
        await product.heard.until(build, "InstanceTerminated", "ResourcesReleased")
        facts = {each["type"]: each["data"]["event"] for each in product.heard.of(build)}
        if "MachineImageStored" not in facts:
            raise NotLaunchedError(f"{cell}: no image was stored: {product.heard.of(build)[-1]['data']['event']}")
        stored = facts["MachineImageStored"]
        if model and not stored["warmed"]:
            raise NotLaunchedError(f"{cell}: the model of its image was not run: {stored['not_warmed_because']}")
        self.images[stored["image_id"]] = model

    async def _first_token(self, cell: Cell) -> None:
        """Through the router; asked again until its route is there."""
        question = {"model": cell.model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
        async with asyncio.timeout(_PATIENCE_S):
            while not (await self.product.http.post("/v1/chat/completions", json=question)).is_success:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def launches(
    folder: Path,
    cells: Sequence[Cell],
    way: Way,
    *,
    time_scale: float,
    at_once: int,
    seed: int,
    reinstall: bool,
    tell: Callable[[Launched | NotLaunchedError], None],
) -> None:
    """One of each cell, so many at the same time, on one product."""
    some_at_a_time = asyncio.Semaphore(at_once)
    async with running(folder, way, time_scale) as product:
        here = Launches(product, time_scale, seed)

        async def one(cell: Cell) -> None:
            async with some_at_a_time:
                try:
                    async for launched in here.of(cell, way, reinstall=reinstall):
                        tell(launched)
                except NotLaunchedError as error:
                    tell(error)

        await asyncio.gather(*(one(cell) for cell in cells))
