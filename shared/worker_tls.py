"""Our side of the TLS with a worker, which pins the certificate of one attempt and shows the one that it pins."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from uuid import UUID

import structlog

from shared.certificates import Certified
from shared.lifecycle.events import SshInstallStarted
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import LIVE
from shared.secrets import Secrets, WorkerCertificates
from shared.settings import WithMachines

_NAMED: Final = 20

log = structlog.get_logger()


def warn_if_off(settings: WithMachines) -> None:
    """Each service says at its start that workers are installed without TLS."""
    if settings.worker_tls == "off":
        log.warning(
            "workers are installed without TLS: what is sent to them can be read on the way",
            remedy="remove COLDSTART_WORKER_TLS and reinstall the instances",
        )


def warn_of_plain_workers(instances: Iterable[Instance]) -> None:
    """Those of attempts that began without TLS, under the setting `off` or an earlier version, speak on without it."""
    plain = [
        instance.specification.name
        for instance in instances
        if instance.status in LIVE and instance.reached(SshInstallStarted) and instance.worker_tls == "off"
    ]
    if plain:
        log.warning(
            "workers run without TLS: what is sent to them can be read on the way",
            workers=len(plain),
            instances=plain[:_NAMED],
            remedy="reinstall the instances",
        )


@dataclass(frozen=True)
class WorkerTls:
    """The TLS with one attempt's worker. Two are equal if they are of the same attempt."""

    secrets: Secrets = field(repr=False, compare=False)
    instance_id: UUID
    attempt: int

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Made when it is first used, which takes half a millisecond."""
        return client_context(self.secrets.worker_certificates(self.instance_id, self.attempt))


def worker_tls(secrets: Secrets, instance: Instance) -> WorkerTls | None:
    """That of the worker of its attempt; None if that speaks plain HTTP."""
    return None if instance.worker_tls == "off" else WorkerTls(secrets, instance.id, instance.attempt)


def client_context(certificates: WorkerCertificates) -> ssl.SSLContext:
    """Trusts the worker's certificate and nothing else, whatever name it was reached by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificates.worker.certificate)
    show(context, certificates.client)
    return context


def show(context: ssl.SSLContext, ours: Certified) -> None:
    """Let this side show that certificate. Raises ssl.SSLError if the key is another one's."""
    with _readable(ours.certificate) as certificate, _readable(ours.private_key) as private_key:
        context.load_cert_chain(certificate, private_key)


async def connect(address: str, port: int) -> socket.socket:
    """A TCP connection to an IP address. Raises OSError.

    TLS begins on top of it. Until then the kernel answers for a worker that is busy; afterwards the worker has to.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """A path that has this text once. It is a pipe, since ssl reads keys from files and no key of ours is stored."""
    reading, writing = os.pipe()
    try:
        try:
            os.write(writing, text.encode())
        finally:
            os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
