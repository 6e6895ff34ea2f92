"""Who gets through to a worker that listens as vLLM does with `--ssl-cert-reqs 2`, and whom we talk to."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import pytest

from shared.secrets import Secrets
from shared.worker_tls import worker_tls
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.worker_tls.intruders import heard, insider, intruders
from tests.worker_tls.workers import server_context

SECRETS: Final = Secrets("a master secret of at least thirty-two characters")
INSTANCE: Final = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
ATTEMPT: Final = 2
ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
NOBODIES: Final = intruders(SECRETS, INSTANCE, ATTEMPT)


@dataclass
class Listening:
    port: int = 0
    read: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def listening(instance_id: UUID = INSTANCE, attempt: int = ATTEMPT) -> AsyncGenerator[Listening]:
    """`read` is every byte that got as far as HTTP."""
    seen = Listening()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.read.append(await reader.read(65_536))
        writer.write(ANSWER)
        writer.close()

    context = server_context(SECRETS.worker_certificates(instance_id, attempt))
    server = await asyncio.start_server(answered, "127.0.0.1", 0, ssl=context)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        yield seen


async def test_we_are_answered() -> None:
    async with listening() as worker:
        assert await heard("127.0.0.1", worker.port, insider(SECRETS, INSTANCE, ATTEMPT)) == ANSWER


@pytest.mark.parametrize("intruder", NOBODIES)
async def test_of_an_intruder_not_one_byte_is_read_as_http(intruder: str) -> None:
    async with listening() as worker:
        assert b"HTTP" not in await heard("127.0.0.1", worker.port, NOBODIES[intruder])
        assert worker.read == []
        assert await heard("127.0.0.1", worker.port, insider(SECRETS, INSTANCE, ATTEMPT)) == ANSWER


@pytest.mark.parametrize(
    ("instance_id", "attempt"),
    [(uuid4(), ATTEMPT), (INSTANCE, ATTEMPT - 1), (INSTANCE, ATTEMPT + 1)],
    ids=["another instance's", "a former attempt's", "a later attempt's"],
)
async def test_we_say_nothing_to_another_worker(instance_id: UUID, attempt: int) -> None:
    async with listening(instance_id, attempt) as worker:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", worker.port, ssl=insider(SECRETS, INSTANCE, ATTEMPT), server_hostname="127.0.0.1"
            )
        assert worker.read == []


def test_a_worker_is_talked_to_as_its_attempt_says() -> None:
    started = (*h.a_launch(), f.ssh_install_started(worker_tls="mutual"))
    first = worker_tls(SECRETS, f.given(*started))
    assert first is not None
    assert worker_tls(SECRETS, f.given(*started, f.ssh_install_completed())) == first
    again = (*started, f.instance_ready(), f.reinstall_requested(attempt=2))
    assert worker_tls(SECRETS, f.given(*again)) is None
    assert worker_tls(SECRETS, f.given(*again, f.ssh_install_started(attempt=2, worker_tls="mutual"))) not in (
        None,
        first,
    )
    assert worker_tls(SECRETS, f.given(*h.a_launch(), f.ssh_install_started())) is None
