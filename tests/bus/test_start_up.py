"""A service that starts before JetStream answers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.ports import HOST
from coldstart.supervised.process import Command
from shared.bus.connection import connected_once
from shared.bus.start_up import holder
from shared.settings import ServiceSettings

WITHIN_S = 60


class WithoutJetStream(EmbeddedNats):
    """As a cluster that has no leader: it accepts connections, and nobody answers JetStream's requests."""

    def command(self, port: int) -> Command:
        command = super().command(port)
        password = self.folder.password("password")
        login = f'authorization {{ user: coldstart, password: "{password}" }}'
        self.folder.write("server.conf", f'listen: "{HOST}:{port}"\n{login}\n')
        return command

    async def probe(self, port: int) -> None:
        async with connected_once(self.url_on(port)):
            pass


def told(logs: list[Any]) -> bool:
    return any(line.get("server") == "JetStream" for line in logs)


@pytest.mark.parametrize("keeps_topology", [True, False])
async def test_a_service_waits_until_jetstream_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keeps_topology: bool
) -> None:
    monkeypatch.setattr("shared.service_manager.SLOW_S", 0.0)
    monkeypatch.setattr("shared.bus.start_up._PAUSE_S", 0.01)

    async def started(url: str) -> None:
        settings = ServiceSettings(nats_url=SecretStr(url))
        async with holder(settings, "test", keeps_topology=keeps_topology, stop_grace_s=1) as service:
            assert service.installation

    with capture_logs() as logs:
        async with WithoutJetStream(tmp_path) as server:
            starting = asyncio.create_task(started(server.url))
            async with asyncio.timeout(WITHIN_S):
                while not (starting.done() or told(logs)):  # noqa: ASYNC110 (it is only logged)
                    await asyncio.sleep(0)
            assert not starting.done()
        async with EmbeddedNats(tmp_path, port=server.folder.port or 0), asyncio.timeout(WITHIN_S):
            await starting
    assert "coldstart:" not in str(logs)
