"""Asking for a reconciliation: the reports come back, and who does not answer is told from who is slow."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.connection import connect
from shared.reconciliation import (
    QUEUE,
    SUBJECT,
    Kind,
    NobodyAnswers,
    Reason,
    ReconciliationReply,
    ReconciliationRequest,
    Removed,
    Report,
    TimedOut,
    Unknown,
    request_reconciliation,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
REPORT = Report(
    provider="scaleway",
    began_at=AT,
    ended_at=AT,
    servers=2,
    removed=(Removed(kind=Kind.VOLUME, id="v", zone="z", instance_id=uuid4(), reason=Reason.ENDED),),
    unknown=(Unknown(kind=Kind.SERVER, id="s", zone="z", instance_id=None, hint="delete it"),),
    errors=("one thing went wrong",),
)


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    yield connection
    await connection.close()


async def test_the_reports_come_back_as_they_were_made(connection: Client) -> None:
    asked: list[ReconciliationRequest] = []

    async def answer(message: Msg) -> None:
        asked.append(ReconciliationRequest.model_validate_json(message.data))
        await message.respond(ReconciliationReply(reports=(REPORT,)).model_dump_json().encode())

    await connection.subscribe(SUBJECT, queue=QUEUE, cb=answer)
    assert await request_reconciliation(connection, delete_unknown=True, timeout_s=60) == (REPORT,)
    assert [request.delete_unknown for request in asked] == [True]


async def test_without_a_provisioner_nobody_answers(connection: Client) -> None:
    with pytest.raises(NobodyAnswers):
        await request_reconciliation(connection, delete_unknown=False, timeout_s=60)


async def test_a_provisioner_that_takes_too_long_is_not_waited_for(connection: Client) -> None:
    async def silent(_: Msg) -> None: ...

    await connection.subscribe(SUBJECT, queue=QUEUE, cb=silent)
    with pytest.raises(TimedOut):
        await request_reconciliation(connection, delete_unknown=False, timeout_s=0.05)
