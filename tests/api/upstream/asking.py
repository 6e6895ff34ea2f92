"""A test's request through a client, in one call."""

from dataclasses import dataclass

from services.api.upstream import Address, Answer, Headers, Upstream


@dataclass
class Told:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def ask(
    upstream: Upstream, address: Address, *, method: bytes = b"POST", headers: Headers = (), body: bytes = b""
) -> Told:
    async with upstream.ask(address, method, b"/v1/x", headers, body) as answer:
        return Told(answer.status, answer.headers, await rest_of(answer))


async def rest_of(answer: Answer) -> bytes:
    chunks = []
    while chunk := await answer.chunk():
        chunks.append(chunk)
    return b"".join(chunks)
