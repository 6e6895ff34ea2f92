import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from coldstart.settings import SettingsInvalid
from coldstart.stack import processes
from coldstart.stack.processes import Service, ServiceFailed
from tests.embedded.owners import PROJECT, gone

PATIENCE_S = 90


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)


def a_service(folder: Path, behaviour: str) -> Service:
    return Service("tests.coldstart.one_service", {"BEHAVIOUR": behaviour}, folder / "service.log")


def process_of(service: Service) -> psutil.Process:
    assert service.pid is not None
    return psutil.Process(service.pid)


async def test_a_service_that_was_killed_is_started_again(tmp_path: Path) -> None:
    service = a_service(tmp_path, "steady")
    async with service.supervised():
        first = process_of(service)
        for starts in (2, 3):
            process_of(service).kill()
            async with asyncio.timeout(PATIENCE_S):
                while service.starts < starts:  # noqa: ASYNC110 (its keeper announces only that it serves)
                    await asyncio.sleep(0.01)
                await service.serving()
        assert not first.is_running()
        last = process_of(service)
        assert last.is_running()
    await gone([last])


async def test_a_first_start_that_fails_says_so_in_one_line_and_where_the_log_is(tmp_path: Path) -> None:
    service = a_service(tmp_path, "fails")
    service.log_file.write_text("of an earlier time\n")
    with pytest.raises(ServiceFailed) as failed:
        async with service.supervised():
            pass
    assert str(failed.value) == (f"one_service did not start: there is no way to go on\nIts log is {service.log_file}.")
    assert service.starts == 1


async def test_a_service_that_refuses_its_settings_is_quoted_and_nothing_else(tmp_path: Path) -> None:
    service = a_service(tmp_path, "refuses")
    with pytest.raises(SettingsInvalid, match=r"\ACOLDSTART_X takes a whole number\.\Z"):
        async with service.supervised():
            pass


async def test_a_service_that_never_says_it_serves_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.3)
    service = a_service(tmp_path, "silent")
    with pytest.raises(ServiceFailed):
        async with service.supervised():
            pass
    await gone([psutil.Process(pid) for pid in [service.pid] if pid and psutil.pid_exists(pid)])


async def test_a_service_that_says_what_it_waits_for_gets_the_time_that_it_asks_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "word")
    environment = {"BEHAVIOUR": "waits", "WORD": str(tmp_path / "word")}
    service = Service("tests.coldstart.one_service", environment, tmp_path / "service.log")
    told = {"event": "service does not serve yet", "service": "one_service", "status": "waiting for a word"}

    async def released() -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not any(told.items() <= line.items() for line in logs):  # noqa: ASYNC110 (it is only logged)
                await asyncio.sleep(0.01)
        assert service._limit is not None
        limits.append((service._limit.when() or 0) - asyncio.get_running_loop().time())
        await asyncio.to_thread((tmp_path / "word").write_text, "go")

    limits: list[float] = []
    with capture_logs() as logs:
        releasing = asyncio.create_task(released())
        async with service.supervised():
            await releasing
    assert limits[0] > 3000


async def test_a_service_that_does_not_stop_when_asked_is_killed_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    service = a_service(tmp_path, "deaf")
    async with service.supervised():
        process = process_of(service)
        began = time.monotonic()
    assert time.monotonic() - began < PATIENCE_S
    await gone([process])


async def test_a_services_log_is_its_owners_only(tmp_path: Path) -> None:
    async with a_service(tmp_path, "steady").supervised():
        assert (tmp_path / "service.log").stat().st_mode & 0o777 == 0o600


async def test_a_service_ends_with_the_process_that_keeps_it(tmp_path: Path) -> None:
    keeper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _KEEPER, str(tmp_path)), stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    assert keeper.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        pid = int(await keeper.stdout.readline())
    service = psutil.Process(pid)
    os.kill(keeper.pid, signal.SIGKILL)
    await keeper.wait()
    await gone([service])


_KEEPER = """
import asyncio, sys
from pathlib import Path
from coldstart.stack.processes import Service

async def keep():
    service = Service("tests.coldstart.one_service", {"BEHAVIOUR": "steady"}, Path(sys.argv[1]) / "service.log")
    async with service.supervised():
        print(service.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(keep())
"""
