"""Self-signed certificates that are pinned: whoever has the same key makes the same certificate, byte for byte."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""RFC 5280, 4.1.2.5: no well-defined expiration. The pin limits a certificate to its attempt, not a machine's clock."""
_SERIAL_BYTES: Final = 16


@dataclass(frozen=True)
class Certified:
    """An Ed25519 key (PKCS #8) and its certificate (X.509), both as PEM."""

    private_key: str = field(repr=False)
    certificate: str


def certified(private: bytes, subject: str, usage: ObjectIdentifier) -> Certified:
    """The key from its 32 bytes, and a certificate of it that can certify nothing else.

    `usage`: the only purpose that the certificate is good for (RFC 5280, 4.2.1.12).
    """
    key = Ed25519PrivateKey.from_private_bytes(private)
    public = key.public_key()
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(int.from_bytes(sha256(raw).digest()[:_SERIAL_BYTES]) | 1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(key, algorithm=None)  # Ed25519 signatures are deterministic (RFC 8032)
    )
    return Certified(
        private_key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
    )
