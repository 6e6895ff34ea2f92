"""Reconciliation on demand: whoever asks over NATS gets the reports of rounds that began afterwards."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from uuid import uuid4

import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from services.provisioner.app import running
from services.provisioner.provider import Order
from shared.bus.connection import connect
from shared.reconciliation import NobodyAnswers, request_reconciliation
from tests.provisioner.fake_provider import FakeProvider
from tests.provisioner.stage import quick

NEVER_S = 3600.0


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def service(nats_url: str, provider: FakeProvider) -> AsyncGenerator[None]:
    """One that reconciles only when asked."""
    settings = quick(nats_url=SecretStr(nats_url), reconcile_seconds=NEVER_S)
    async with running(settings, [lambda _: nullcontext(provider)]):
        yield


async def _stray(provider: FakeProvider) -> None:
    await provider.create_server(Order(uuid4(), "stray", "zone-1", "L4-1-24G", b""))


@pytest.mark.usefixtures("service")
async def test_whoever_asks_gets_a_report_of_each_provider(connection: Client, provider: FakeProvider) -> None:
    await _stray(provider)
    (report,) = await request_reconciliation(connection, delete_unknown=False, timeout_s=60)
    assert report.provider == "scaleway"
    assert [unknown.id for unknown in report.unknown] == ["server-1"]
    assert provider.alive == ["server-1"]


@pytest.mark.usefixtures("service")
async def test_what_is_unknown_is_deleted_when_that_is_asked_for(connection: Client, provider: FakeProvider) -> None:
    await _stray(provider)
    (report,) = await request_reconciliation(connection, delete_unknown=True, timeout_s=60)
    assert "server-1" in {removed.id for removed in report.removed}
    assert provider.empty


@pytest.mark.usefixtures("service")
async def test_several_may_ask_at_once(connection: Client, provider: FakeProvider) -> None:
    asked = (request_reconciliation(connection, delete_unknown=False, timeout_s=60) for _ in range(3))
    answers = sorted(report.began_at for (report,) in await asyncio.gather(*asked))
    assert len(set(answers)) == 3
    assert provider.calls.count("tagged_servers") == 3


async def test_of_two_replicas_one_answers(nats_url: str, connection: Client, provider: FakeProvider) -> None:
    settings = quick(nats_url=SecretStr(nats_url), reconcile_seconds=NEVER_S)
    async with (
        running(settings, [lambda _: nullcontext(provider)]),
        running(settings, [lambda _: nullcontext(provider)]),
    ):
        assert len(await request_reconciliation(connection, delete_unknown=False, timeout_s=60)) == 1
        assert provider.calls.count("tagged_servers") == 1


async def test_a_service_stops_in_the_middle_of_a_round_and_nobody_answers_then(
    nats_url: str, connection: Client, provider: FakeProvider
) -> None:
    asked, stuck = asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        asked.set()
        await stuck.wait()

    provider.before["tagged_servers"] = hangs
    settings = quick(nats_url=SecretStr(nats_url), reconcile_seconds=NEVER_S, stop_grace_seconds=0.1)
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        async with running(settings, [lambda _: nullcontext(provider)]):
            asking = group.create_task(request_reconciliation(connection, delete_unknown=False, timeout_s=60))
            await asked.wait()
        with pytest.raises(NobodyAnswers):
            await request_reconciliation(connection, delete_unknown=False, timeout_s=60)
        asking.cancel()
