"""Two processes serve one port: limits, breakers, sessions and metrics are those of both, and each may die."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import pytest

from coldstart.stack.processes import Service
from services.api.app import Api
from services.api.processes import several
from shared.running import StartRefused
from tests.api.fakes import free_port
from tests.api.router.scene import a_scene, answering, hangs
from tests.api.stage import ADMIN_KEY, BODY, MODEL, PATIENCE_S, RunningApi, Stage, reached, until
from tests.integration.victim import environment_of
from tests.loopback import NO_AUTHORITIES

PROCESSES = 2
SAYS_READY = f"""#!{sys.executable}
import os, pathlib, signal, socket, sys
folder, process = pathlib.Path(sys.argv[0]).parent, sys.argv[3]
if process == "1":
    (folder / "gate").read_text()
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
(folder / f"said-{{process}}").touch()
signal.pause()
"""
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}

WAITS = f"""#!{sys.executable}
import os, signal, socket
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
said.connect(os.environ["NOTIFY_SOCKET"])
said.send(b"EXTEND_TIMEOUT_USEC=1\\nSTATUS=waiting")
said.send(b"READY=1")
signal.pause()
"""


@dataclass
class Served:
    """`clients`: one for each process, whose kept connection leads there; they send no key."""

    service: Service
    api: RunningApi
    stack: AsyncExitStack

    @property
    def parent(self) -> psutil.Process:
        assert self.service.pid is not None
        return psutil.Process(self.service.pid)

    def serving(self) -> list[psutil.Process]:
        return [child for child in self.parent.children() if "services.api.process" in child.cmdline()]

    async def clients(self, key: str | None = None) -> list[httpx.AsyncClient]:
        """One for each process, oldest first; with this key, if any."""
        by_process: dict[int, httpx.AsyncClient] = {}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        children = sorted(self.serving(), key=lambda child: child.create_time())
        while len(by_process) < len(children):
            client = await self.stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=self.api.url,
                    headers=headers,
                    timeout=PATIENCE_S,
                    verify=NO_AUTHORITIES,
                    limits=httpx.Limits(max_connections=1, keepalive_expiry=None),
                )
            )
            answer = await client.get("/healthz")
            port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
            by_process.setdefault(next(child.pid for child in children if port in ports_of(child)), client)
        return [by_process[child.pid] for child in children]


def ports_of(process: psutil.Process) -> set[int]:
    """The ports of its clients."""
    return {each.raddr.port for each in process.net_connections() if each.raddr}


@asynccontextmanager
async def served(stage: Stage, folder: Path, **settings: Any) -> AsyncGenerator[Served]:
    port = free_port()
    environment = environment_of(stage.settings(api_port=port, api_processes=PROCESSES, **settings))
    async with AsyncExitStack() as stack:
        environment["TMPDIR"] = stack.enter_context(TemporaryDirectory())  # a killed parent leaves its folder
        service = await stack.enter_async_context(Service("services.api", environment, folder / "api.log").supervised())
        api = await stack.enter_async_context(reached(Api(f"http://127.0.0.1:{port}", None), ADMIN_KEY))
        yield Served(service, api, stack)


async def known_to_all(clients: list[httpx.AsyncClient]) -> None:
    """Until each process knows the key of these clients."""

    async def known() -> bool:
        return all([(await client.get("/v1/models")).status_code == 200 for client in clients])

    await until(known)


async def test_limits_are_those_of_both_processes_and_what_a_killed_one_had_in_flight_is_gone(
    stage: Stage, tmp_path: Path
) -> None:
    async with served(stage, tmp_path) as running:
        scene = await a_scene(stage, api=running.api)
        scene.all_answer(answering(200))
        clients = await running.clients(await running.api.user_key(requests_per_minute=4))
        await known_to_all(clients)

        async def asked(client: httpx.AsyncClient) -> int:
            return (await client.post("/v1/chat/completions", json=CHAT)).status_code

        assert 429 not in [await asked(client) for client in clients * 2]
        assert [await asked(client) for client in clients] == [429, 429]

        scene.all_answer(hangs)
        first, second = await running.clients(await running.api.user_key(max_concurrent=1))
        await known_to_all([first, second])
        hanging = asyncio.create_task(first.post("/v1/chat/completions", json=CHAT))

        async def arrived() -> bool:
            return sum(scene.asked) == 1

        await until(arrived)
        assert await asked(second) == 429
        scene.all_answer(answering(200))
        killed = min(running.serving(), key=lambda child: child.create_time())
        killed.kill()
        with pytest.raises(httpx.HTTPError):
            await hanging

        async def admitted() -> bool:
            with suppress(httpx.TransportError):  # the 429 has closed its connection
                return await asked(second) == 200
            return False

        await until(admitted)

        async def restarted() -> bool:
            return len(running.serving()) == PROCESSES and killed.pid not in {one.pid for one in running.serving()}

        await until(restarted)


async def test_breakers_sessions_and_metrics_are_those_of_both_processes(stage: Stage, tmp_path: Path) -> None:
    async with served(stage, tmp_path, breaker_failures=2, breaker_pause_seconds=PATIENCE_S) as running:
        scene = await a_scene(stage, api=running.api)
        scene.all_answer(answering(503))
        clients = await running.clients(ADMIN_KEY)

        async def breakers() -> list[str]:
            told = [await client.get("/models/resolve", params={"model": MODEL}) for client in clients]
            return [one["breaker"] for each in told for one in each.json()["instances"]]

        async def known() -> bool:
            return await breakers() == ["closed", "closed"]

        await until(known)
        for client in clients:
            assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 503
        assert await breakers() == ["open", "open"], "one failure in each process"

        for process, client in enumerate(clients):
            for _ in range(process + 1):
                await client.get("/healthz")
        texts = [(await client.get("/metrics")).text for client in clients]
        for text in texts:
            for process in range(PROCESSES):
                assert f'coldstart_http_connections{{process="{process}"}} ' in text
            assert text.count("# TYPE coldstart_http_connections gauge") == 1

        first, second = await running.clients()
        signed_in = await first.post("/sign-in", data={"key": ADMIN_KEY})
        assert signed_in.status_code == 303
        second.cookies = first.cookies
        assert (await second.get("/instances")).status_code == 200


async def test_a_limit_of_instances_holds_for_launches_in_both_processes(stage: Stage, tmp_path: Path) -> None:
    await stage.projector()
    async with served(stage, tmp_path, projection_wait_seconds=PATIENCE_S) as running:
        await running.api.organization("acme", max_instances=1)
        clients = await running.clients(await running.api.user_key("acme"))
        await known_to_all(clients)
        answers = await asyncio.gather(*(client.post("/instances", json=BODY) for client in clients * 3))
        assert sorted(answer.status_code for answer in answers) == [202, *[403] * 5], [each.text for each in answers]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_processes_end_with_their_parent(stage: Stage, tmp_path: Path, number: signal.Signals) -> None:
    async with served(stage, tmp_path) as running:
        serving = running.serving()
        assert len(serving) == PROCESSES
        os.kill(running.parent.pid, number)
        await asyncio.to_thread(psutil.wait_procs, serving, PATIENCE_S)
        assert not any(child.is_running() for child in serving)
        log = (tmp_path / "api.log").read_text()
        assert "Traceback" not in log, log


async def test_a_process_that_cannot_start_is_no_service(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StartRefused, match="status 1 before it served"):
        async with several(stage.settings(api_processes=PROCESSES)):
            pass


async def test_what_a_process_waits_for_is_told_to_the_service_manager(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "process"
    script.write_text(WAITS)
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.bind(str(tmp_path / "manager"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "manager"))
        async with asyncio.timeout(PATIENCE_S), several(stage.settings(api_processes=PROCESSES)):
            told = await asyncio.get_running_loop().sock_recv(manager, 4096)
    assert told == b"EXTEND_TIMEOUT_USEC=1\nSTATUS=waiting"


async def test_a_port_that_another_program_has_is_not_shared_with_it(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        settings = stage.settings(api_port=other.getsockname()[1], api_processes=PROCESSES)
        with pytest.raises(OSError, match="in use"):
            async with several(settings):
                pass


async def test_no_process_serves_before_all_do(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One of the two waits for the test before it says that it serves."""
    script = tmp_path / "process"
    script.write_text(SAYS_READY)
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    os.mkfifo(tmp_path / "gate")
    serving = asyncio.Event()

    async def serve() -> None:
        async with several(stage.settings(api_processes=PROCESSES)):
            serving.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    async with asyncio.timeout(PATIENCE_S):
        while not (tmp_path / "said-0").exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not serving.is_set()
        await asyncio.to_thread((tmp_path / "gate").write_text, "go")
        await serving.wait()
    task.cancel()
    await asyncio.wait({task})
