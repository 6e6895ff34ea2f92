import asyncio
import socket
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared import service_manager
from shared.service_manager import told_while_waiting

WITHIN_S = 60


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.setblocking(False)
    manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return manager


async def test_a_wait_for_a_server_is_logged_once_and_asks_for_more_time_again_and_again(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "SLOW_S", 0.0)
    monkeypatch.setattr(service_manager, "_AGAIN_S", 0.0)
    loop = asyncio.get_running_loop()
    with capture_logs() as logs, manager:
        async with asyncio.timeout(WITHIN_S), told_while_waiting("PostgreSQL", "db:5432/x", "THE_SETTING") as failed:
            failed(ConnectionRefusedError("refused"), 0.1)
            said = [await loop.sock_recv(manager, 4096) for _ in range(3)]
    assert said == [b"EXTEND_TIMEOUT_USEC=30000000\nSTATUS=waiting for PostgreSQL at db:5432/x (THE_SETTING)"] * 3
    assert logs[0] == {
        "event": "waiting for a server",
        "log_level": "warning",
        "server": "PostgreSQL",
        "at": "db:5432/x",
        "setting": "THE_SETTING",
        "reason": "refused",
    }
    assert len(logs) == 1


async def test_a_wait_that_is_short_is_not_told(manager: socket.socket) -> None:
    with capture_logs() as logs, manager:
        async with told_while_waiting("NATS", "127.0.0.1:4222", "THE_SETTING"):
            await asyncio.sleep(0)
        with pytest.raises(BlockingIOError):
            manager.recv(4096)
    assert logs == []


async def test_a_wait_goes_on_though_nobody_listens_any_more(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager, "SLOW_S", 0.0)
    monkeypatch.setattr(service_manager, "_AGAIN_S", 0.0)
    manager.close()
    with capture_logs() as logs:
        async with asyncio.timeout(WITHIN_S), told_while_waiting("NATS", "127.0.0.1:4222", "THE_SETTING"):
            while len(logs) < 2:  # noqa: ASYNC110 (nobody announces a line)
                await asyncio.sleep(0)
    assert logs[0]["reason"] is None
