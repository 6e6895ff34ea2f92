"""All secrets of an installation, derived from one master secret (HKDF-SHA256, RFC 5869). None is ever stored."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.certificates import Certified, certified

_HUB_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{20,}")
_INSTANCES: Final = 1024
"""Instances whose secrets are cached: deriving them for each line of output took longer than reading it."""


@dataclass(frozen=True)
class SshKey:
    """An Ed25519 key in OpenSSH's own formats; `private` is a PEM block, `public` one line without a comment."""

    private: str = field(repr=False)
    public: str


@dataclass(frozen=True)
class WorkerCertificates:
    """Both sides of the TLS with one attempt's worker. Each side trusts the other's certificate and no other."""

    worker: Certified
    client: Certified


class Secrets:
    """The same in every service with the same master secret."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()
        self._of = lru_cache(maxsize=_INSTANCES)(self._secrets_of)

    def ssh_client_key(self) -> SshKey:
        """The key with which the installation signs in to its machines."""
        return self._ssh_key("ssh-client")

    def host_key(self, instance_id: UUID, counter: int) -> SshKey:
        """The host key of the instance's machine: number 0 from cloud-init, number 1 after the install."""
        return self._ssh_key(f"ssh-host/{instance_id}/{counter}")

    def worker_api_key(self, instance_id: UUID, attempt: int) -> str:
        """The key that the worker of that attempt requires; a worker of another attempt answers 401."""
        return "cs-" + self._derive(f"worker-api-key/{instance_id}/{attempt}").hex()

    def worker_certificates(self, instance_id: UUID, attempt: int) -> WorkerCertificates:
        """The keys and certificates of that attempt's worker, and of those who may talk to it."""
        attempted = f"{instance_id}/{attempt}"
        return WorkerCertificates(
            worker=certified(
                self._derive(f"worker-tls/{attempted}"), "coldstart worker", ExtendedKeyUsageOID.SERVER_AUTH
            ),
            client=certified(
                self._derive(f"worker-tls-client/{attempted}"), "coldstart", ExtendedKeyUsageOID.CLIENT_AUTH
            ),
        )

    def session_key(self) -> bytes:
        """The key that signs the console's sessions and sign-in links."""
        return self._derive("console-sessions")

    def router_snapshot_key(self) -> bytes:
        """The key that authenticates what the router keeps on disk."""
        return self._derive("router-snapshot")

    def webhook_key(self, webhook_id: UUID, number: int) -> bytes:
        """The key that signs this webhook's messages: number 1 at first, one more after each rotation."""
        return self._derive(f"webhook/{webhook_id}/{number}")

    def redact(self, text: str, instance_id: UUID, attempt: int) -> str:
        """`text` without any secret of this instance up to that attempt, and without any token of Hugging Face."""
        for secret in self._of(instance_id, attempt):
            text = text.replace(secret, "[redacted]")
        return _HUB_TOKEN.sub("[redacted]", text)

    def _secrets_of(self, instance_id: UUID, attempt: int) -> tuple[str, ...]:
        keys = (self.worker_api_key(instance_id, number) for number in range(1, attempt + 1))
        private = [self.host_key(instance_id, counter).private for counter in (0, 1)]
        for number in range(1, attempt + 1):
            both = self.worker_certificates(instance_id, number)
            private += [both.worker.private_key, both.client.private_key]
        return (*keys, *(line for key in private for line in key.splitlines()[1:-1]))

    def _derive(self, purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=b"coldstart", info=purpose.encode()).derive(self._master)

    def _ssh_key(self, purpose: str) -> SshKey:
        key = Ed25519PrivateKey.from_private_bytes(self._derive(purpose))
        return SshKey(
            private=key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
            public=key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
        )
