"""A real Prometheus, of Debian's package, that scrapes a stack by the project's own configuration."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.observability.declared import ROOT
from tests.observability.promtool import PROMETHEUS, program
from tests.observability.stack import OF_A_PORT, PATIENCE_S, Observed

CONFIGURATION: Final = ROOT / "deploy/prometheus"


def configuration(observed: Observed) -> dict[str, Any]:
    """The project's, with this stack's ports and a shorter interval."""
    written: dict[str, Any] = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text())
    written["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    written["rule_files"] = [str(CONFIGURATION / "alerts.yml")]
    api, others = written["scrape_configs"]
    api["static_configs"][0]["targets"] = [f"127.0.0.1:{observed.client.base_url.port}"]
    names = [service.rpartition(".")[2] for service in OF_A_PORT]
    for of_one in others["static_configs"]:
        of_one["targets"] = [f"127.0.0.1:{observed.first_port + names.index(of_one['labels']['service'])}"]
    return written


class Prometheus:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, expression: str) -> Sequence[Mapping[str, Any]]:
        """The series that it finds now."""
        answer = await self._client.get("/api/v1/query", params={"query": expression})
        found: Sequence[Mapping[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return found

    async def until_found(self, expression: str) -> None:
        """Raises TimeoutError if it finds nothing for too long."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.query(expression):
                await self.query("up")

    async def firing(self) -> set[str]:
        """The alerts that fire, or would soon."""
        answer = await self._client.get("/api/v1/alerts")
        return {alert["labels"]["alertname"] for alert in answer.raise_for_status().json()["data"]["alerts"]}


@asynccontextmanager
async def prometheus(observed: Observed, folder: Path) -> AsyncGenerator[Prometheus]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration(observed)))
    (folder / "coldstart-key").write_text(f"{observed.admin_key}\n")
    options = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program(PROMETHEUS), *options, stdout=log, stderr=log)
        try:
            async with httpx.AsyncClient(base_url=f"http://{address}", timeout=30) as client:
                asked = Prometheus(client)
                await _answers(client)
                yield asked
        finally:
            process.terminate()
            await process.wait()


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                (await client.get("/-/ready")).raise_for_status()
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return
