"""The service is killed at every message, before its receiver has answered and after: each one arrives."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from services.webhooks.settings import WebhooksSettings
from tests.integration.forking import Forked
from tests.integration.victim import environment_of
from tests.lifecycle import histories as h
from tests.webhooks.receiver import Received, accepting, receiving
from tests.webhooks.stage import Stage, a_pace, secret_of, verified

QUICK_CLAIMS = {"webhooks_timeout_seconds": 1.0, "webhooks_claim_seconds": 0.5}
"""What a killed process had claimed is soon claimed by the next one."""


def a_process(settings: WebhooksSettings, log_file: Path) -> Forked:
    return Forked("services.webhooks", environment_of(settings), log_file)


@pytest.mark.parametrize("moment", ["before the answer", "after the answer"])
async def test_each_message_arrives_although_the_service_dies_at_it(
    stage: Stage, tmp_path: Path, moment: Literal["before the answer", "after the answer"]
) -> None:
    settings = a_pace(
        stage.settings.nats_url.get_secret_value(), stage.settings.database_url.get_secret_value(), **QUICK_CLAIMS
    )
    service, killed = a_process(settings, tmp_path / "log"), set[str]()

    def kill() -> None:
        if service.pid is not None:
            os.kill(service.pid, signal.SIGKILL)

    def answer(received: Received) -> object:
        if received.id not in killed:
            killed.add(received.id)
            if moment == "before the answer":
                kill()
            else:
                asyncio.get_running_loop().call_later(0.005, kill)  # about when it is noted
        return accepting(received)

    async with receiving(answer) as receiver, service.supervised():  # type: ignore[arg-type]
        webhook = await stage.add(receiver.url)
        count = await stage.author.write(h.a_launch())
        await receiver.until_all({*await stage.events()})
        await stage.until_done(webhook, count)
    assert len(killed) == count
    for one in receiver.received:
        verified(secret_of(webhook), one.body, one.headers)


async def test_nothing_is_lost_when_it_dies_while_it_queues(stage: Stage, tmp_path: Path) -> None:
    settings = a_pace(
        stage.settings.nats_url.get_secret_value(), stage.settings.database_url.get_secret_value(), **QUICK_CLAIMS
    )
    service = a_process(settings, tmp_path / "log")
    async with receiving() as receiver, service.supervised():
        webhook = await stage.add(receiver.url)
        for _ in range(5):
            await stage.author.write(h.a_launch())
            await service.serving()
            assert service.pid is not None
            with suppress(ProcessLookupError):  # it has not been noticed yet that the one before has died
                os.kill(service.pid, signal.SIGKILL)
        await receiver.until_all({*await stage.events()})
        await stage.until_done(webhook, 5 * len(h.a_launch()))
    assert service.starts > 1
