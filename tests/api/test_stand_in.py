"""Without NATS or PostgreSQL, inference goes on by the keys and routes of the last moment, for a bounded time."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from services.api.app import Api, running
from services.api.router.snapshot import RouterSnapshot
from services.api.settings import ApiSettings
from services.api.stand_in import snapshot_file
from shared.lifecycle.instance import Instance
from tests.api.fakes import free_port
from tests.api.router.test_inference import catalogued
from tests.api.stage import ADMIN_KEY, MODEL, PATIENCE_S, RunningApi, Stage, reached, until
from tests.nats_proxy import Operation, nats_proxy

DAY = timedelta(days=1)


@asynccontextmanager
async def starting(settings: ApiSettings) -> AsyncGenerator[tuple[RunningApi, asyncio.Event]]:
    """An api whose start may not be complete; the event says that it is."""
    complete, over = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        async with running(settings):
            complete.set()
            await over.wait()

    api = asyncio.create_task(run())
    async with reached(Api(f"http://127.0.0.1:{settings.api_port}", None), ADMIN_KEY) as client:
        try:
            yield client, complete
        finally:
            over.set()
            if not complete.is_set():
                api.cancel()
            with suppress(asyncio.CancelledError):
                await api


async def kept(stage: Stage, folder: Path) -> tuple[Instance, str]:
    """A former api has kept the route to this instance, and this key of a user's."""
    settings = stage.settings(router_snapshot_dir=folder, router_snapshot_seconds=0.05)
    file = snapshot_file(settings)
    assert file is not None
    async with running(settings) as former, reached(former, ADMIN_KEY) as api:
        await catalogued(api)
        await api.organization("acme")
        await api.offering("acme", "chat", MODEL)
        key = await api.user_key("acme")
        instance = await stage.ready((await stage.worker()).address)

        async def all_is_kept() -> bool:
            snapshot = file.read(datetime.now(UTC), DAY)
            return snapshot is not None and bool(snapshot.instances) and bool(snapshot.access.keys)

        await until(all_is_kept)
    return instance, key


async def answered(ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Once somebody listens."""
    answers: list[httpx.Response] = []

    async def asked() -> bool:
        with suppress(httpx.TransportError):
            answers.append(await ask())
        return bool(answers)

    await until(asked)
    return answers[0]


async def _lost(_: Operation) -> bool:
    return False


async def _pass(_: Operation) -> bool:
    return True


async def test_a_start_without_nats_serves_by_what_is_kept_and_goes_on_by_itself(stage: Stage, tmp_path: Path) -> None:
    instance, key = await kept(stage, tmp_path)
    async with nats_proxy(stage.nats_url) as wire:
        wire.to_client = _lost
        settings = stage.settings(
            nats_url=SecretStr(wire.url), router_snapshot_dir=tmp_path, api_port=free_port(), usage_write_seconds=0.02
        )
        async with starting(settings) as (api, complete), api.as_(key) as user:
            body = {"model": "acme/chat", "messages": []}
            answer = await answered(lambda: user.post("/v1/chat/completions", json=body))
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-coldstart-instance"] == str(instance.id)
            assert not complete.is_set()
            wrong = {"Authorization": "Bearer csk_wrong"}
            assert (await user.post("/v1/chat/completions", json=body, headers=wrong)).status_code == 401
            ready = await api.client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            fields = ready.json().keys()
            assert 0 < ready.json()["routing_table_age_seconds"] < PATIENCE_S
            assert (await api.client.get("/healthz")).status_code == 200
            metrics = (await api.client.get("/metrics")).text
            age = re.search(r"^coldstart_router_snapshot_age_seconds (\S+)$", metrics, re.MULTILINE)
            assert age is not None
            assert 0 < float(age[1]) < PATIENCE_S
            assert (await user.get("/metrics")).status_code == 403
            for path in ("/instances", "/console", "/api-keys"):
                away = await api.client.get(path)
                assert (away.status_code, away.json()["code"]) == (503, "stores_away")
                assert away.headers["retry-after"]
            wire.to_client = _pass
            wire.cut()
            async with asyncio.timeout(PATIENCE_S):
                await complete.wait()
            assert (await api.client.get("/instances")).status_code == 200
            assert (await api.client.get("/readyz")).json().keys() == fields
            assert (await user.post("/v1/chat/completions", json=body)).status_code == 200

            async def both_are_counted() -> bool:
                usage = (await api.client.get("/usage")).json()
                return bool(sum(item["requests"] for item in usage["items"]) == 2)

            await until(both_are_counted)
        await stage.stack.aclose()


async def test_a_start_without_postgresql_serves_by_what_is_kept(stage: Stage, tmp_path: Path) -> None:
    _, key = await kept(stage, tmp_path)
    port, target = free_port(), urlsplit(stage.database_url)
    credentials = target.netloc.rpartition("@")[0]
    url = target._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()
    settings = stage.settings(database_url=SecretStr(url), router_snapshot_dir=tmp_path, api_port=free_port())
    async with AsyncExitStack() as wire, starting(settings) as (api, complete), api.as_(key) as user:
        answer = await answered(lambda: user.post("/v1/chat/completions", json={"model": MODEL, "messages": []}))
        assert answer.status_code == 200, answer.text
        assert (await api.client.get("/instances")).json()["code"] == "stores_away"
        await wire.enter_async_context(forwarded(port, target.hostname, target.port))
        async with asyncio.timeout(PATIENCE_S):
            await complete.wait()
        assert (await api.client.get("/instances")).status_code == 200


@asynccontextmanager
async def forwarded(port: int, host: str | None, to: int | None) -> AsyncGenerator[None]:
    """From a port of this machine to a server."""
    pumps = set[asyncio.Task[None]]()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, to)
        pumps.update({asyncio.create_task(pump(reader, far_writer)), asyncio.create_task(pump(far_reader, writer))})

    async with await asyncio.start_server(accept, "127.0.0.1", port):
        yield
    await asyncio.gather(*pumps)


async def test_what_is_kept_serves_no_longer_than_its_time(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await kept(stage, tmp_path)
    async with nats_proxy(stage.nats_url) as wire:
        wire.to_client = _lost
        settings = stage.settings(nats_url=SecretStr(wire.url), router_snapshot_dir=tmp_path, api_port=free_port())
        async with starting(settings) as (api, _), api.as_(key) as user:
            body = {"model": MODEL, "messages": []}
            assert (await answered(lambda: user.post("/v1/chat/completions", json=body))).status_code == 200
            longest = timedelta(seconds=settings.router_snapshot_max_age_seconds)
            monkeypatch.setattr(RouterSnapshot, "age", lambda *_: longest + timedelta(seconds=1))
            stale = await user.post("/v1/chat/completions", json=body)
            assert (stale.status_code, stale.json()["error"]["code"]) == (503, "routes_stale")
            assert (await api.client.get("/readyz")).status_code == 503
        await stage.stack.aclose()


@pytest.mark.parametrize(("longest_s", "ends"), [(PATIENCE_S, False), (1.0, True)])
async def test_without_word_from_the_stream_a_running_router_goes_on_for_as_long_as_what_is_kept_may_be_used(
    stage: Stage, tmp_path: Path, longest_s: float, ends: bool
) -> None:
    worker = await stage.worker()
    async with nats_proxy(stage.nats_url) as wire:
        kept: dict[str, Any] = {"router_snapshot_dir": tmp_path, "router_snapshot_max_age_seconds": longest_s}
        api = await stage.api(nats_url=SecretStr(wire.url), router_staleness_seconds=0.5, **kept)
        await catalogued(api)
        await stage.ready(worker.address)
        await api.routes()
        wire.to_client = _lost

        async def degraded() -> bool:
            ready = await api.client.get("/readyz")
            return ready.status_code == 200 and ready.json()["status"] == "degraded"

        async def stale() -> bool:
            return (await api.client.get("/readyz")).status_code == 503

        await until(stale if ends else degraded)
        assert (await api.chat()).status_code == (503 if ends else 200)
        await api.client.aclose()
        await stage.stack.aclose()
