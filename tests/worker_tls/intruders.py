"""Everybody who must not reach a worker, and what each of them hears. For workers simulated and real."""

import asyncio
import ssl
from collections.abc import Mapping
from uuid import UUID, uuid4

from shared.certificates import Certified
from shared.secrets import Secrets
from shared.worker_tls import client_context, show

PATIENCE_S = 120.0


def insider(secrets: Secrets, instance_id: UUID, attempt: int) -> ssl.SSLContext:
    """Who may: the router and health."""
    return client_context(secrets.worker_certificates(instance_id, attempt))


def intruders(secrets: Secrets, instance_id: UUID, attempt: int) -> Mapping[str, ssl.SSLContext | None]:
    """Who may not. None of them minds which certificate the worker shows; None speaks plain HTTP."""
    ours = secrets.worker_certificates(instance_id, attempt)
    return {
        "plain HTTP": None,
        "no certificate": _careless(None),
        "no certificate, TLS 1.2": _careless(None, ssl.TLSVersion.TLSv1_2),
        "another instance's": _careless(secrets.worker_certificates(uuid4(), attempt).client),
        "another attempt's": _careless(secrets.worker_certificates(instance_id, attempt + 1).client),
        "a former attempt's": _careless(secrets.worker_certificates(instance_id, attempt - 1).client),
        "another installation's": _careless(Secrets("x" * 32).worker_certificates(instance_id, attempt).client),
        "the worker's own": _careless(ours.worker),
    }


async def heard(address: str, port: int, context: ssl.SSLContext | None, path: str = "/health") -> bytes:
    """Everything that the worker says to a GET of this path, and b"" where it only hangs up."""
    said = bytearray()
    async with asyncio.timeout(PATIENCE_S):
        try:
            reader, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=address if context else None
            )
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                while got := await reader.read(65_536):
                    said += got
            finally:
                writer.transport.abort()
        except (ssl.SSLError, ConnectionError):
            pass
    return bytes(said)


def _careless(shown: Certified | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    if shown is not None:
        show(context, shown)
    return context
