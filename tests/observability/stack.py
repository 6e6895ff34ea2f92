"""A whole stack in the simulated cloud that has launched and answered, and what its services serve as metrics."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from coldstart.settings import StackSettings
from coldstart.stack import processes, simulated
from coldstart.stack.stack import SERVICES, stack
from tests.coldstart.told import MODEL

PATIENCE_S: Final = 240
EVERY_S: Final = 0.5
"""How often health and progress look at what they tell."""
OF_A_PORT: Final = SERVICES[:-1]
"""All but the api, which serves its metrics beside everything else."""
Scraped = Mapping[str, str]
"""The text of each service's metrics."""


@dataclass(frozen=True)
class Observed:
    client: httpx.AsyncClient
    """Of the api, as an administrator."""
    first_port: int
    instance_id: str
    admin_key: str

    async def scrape(self) -> Scraped:
        async with httpx.AsyncClient(timeout=30) as client:
            texts = {
                service.rpartition(".")[2]: (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                for port, service in enumerate(OF_A_PORT, self.first_port)
            }
        return {**texts, "api": (await self.client.get("/metrics")).text}

    async def until(self, holds: Callable[[Scraped], bool]) -> Scraped:
        """The first scrape of which this holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds(scraped := await self.scrape()):
                await self.client.get("/instances", params={"limit": 1})
        return scraped


def families(text: str) -> Sequence[Metric]:
    return list(text_string_to_metric_families(text))


def value(text: str, name: str, **labels: str) -> float | None:
    """The sum of the samples with this name and these labels; None if there is none."""
    found = [
        sample.value
        for family in families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


@asynccontextmanager
async def observed(data_dir: Path) -> AsyncGenerator[Observed]:
    """With one instance that is ready and has answered."""
    first_port = free_ports()
    settings = {
        "COLDSTART_COUNTS_LOOK_SECONDS": str(EVERY_S),
        "COLDSTART_READY_LOOK_SECONDS": str(EVERY_S),
        "COLDSTART_FLEET_COUNT_SECONDS": str(EVERY_S),
    }
    with pytest.MonkeyPatch.context() as patch:
        for module in (processes, simulated):
            patch.setattr(module, "START_SECONDS", PATIENCE_S)  # however busy the machine is
        for name, value in settings.items():
            patch.setenv(name, value)
        wanted = StackSettings(data_dir=data_dir, api_port=0, metrics_port=first_port)
        async with stack(wanted, simulated=True) as running:
            headers = {"Authorization": f"Bearer {running.reach.admin_key}"}
            async with httpx.AsyncClient(base_url=running.reach.api_url, headers=headers, timeout=PATIENCE_S) as client:
                body = {"model": MODEL, "instance_types": ["L4-1-24G"]}
                instance = (await client.post("/instances", json=body)).raise_for_status().json()
                chat = {"model": MODEL, "messages": [{"role": "user", "content": "Say hello."}]}
                waiting = {"X-Wait-For-Ready": str(PATIENCE_S)}
                (await client.post("/v1/chat/completions", json=chat, headers=waiting)).raise_for_status()
                yield Observed(client, first_port, instance["id"], running.reach.admin_key)


def free_ports() -> int:
    """The first of a row, one for each service."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
        if port + len(OF_A_PORT) <= 2**16 and all(map(_is_free, range(port, port + len(OF_A_PORT)))):
            return port
    raise AssertionError("no free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
