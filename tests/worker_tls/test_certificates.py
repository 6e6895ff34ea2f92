"""Both sides' certificates: derived, never stored, and good for one attempt of one instance."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from shared.certificates import Certified
from shared.secrets import Secrets, WorkerCertificates

MASTER: Final = "a master secret of at least thirty-two characters"
SECRETS: Final = Secrets(MASTER)
INSTANCE: Final = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
OURS: Final = SECRETS.worker_certificates(INSTANCE, 1)


def parsed(certified: Certified) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certified.certificate.encode())


def test_every_process_with_the_master_secret_makes_the_same_certificates_byte_for_byte() -> None:
    assert Secrets(MASTER).worker_certificates(INSTANCE, 1) == OURS


@pytest.mark.parametrize(
    "others",
    [
        SECRETS.worker_certificates(INSTANCE, 2),
        SECRETS.worker_certificates(UUID(int=1), 1),
        Secrets(MASTER[::-1]).worker_certificates(INSTANCE, 1),
    ],
    ids=["attempt", "instance", "installation"],
)
def test_no_key_is_that_of_another_attempt_instance_or_installation(others: WorkerCertificates) -> None:
    every = (OURS.worker, OURS.client, others.worker, others.client)
    assert len({certified.private_key for certified in every}) == len(every)
    assert len({parsed(certified).serial_number for certified in every}) == len(every)


@pytest.mark.parametrize("certified", [OURS.worker, OURS.client])
def test_a_certificate_is_that_of_its_key(certified: Certified) -> None:
    key = load_pem_private_key(certified.private_key.encode(), None).public_key()
    raw = (Encoding.Raw, PublicFormat.Raw)
    assert parsed(certified).public_key().public_bytes(*raw) == key.public_bytes(*raw)


@pytest.mark.parametrize("certified", [OURS.worker, OURS.client])
def test_a_certificate_certifies_no_other_and_needs_no_clock_that_is_right(certified: Certified) -> None:
    certificate = parsed(certified)
    certificate.verify_directly_issued_by(certificate)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_before_utc == datetime(2000, 1, 1, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_certificate_is_good_for_its_side_alone() -> None:
    uses = [
        [use._name for use in parsed(certified).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
        for certified in (OURS.worker, OURS.client)
    ]
    assert uses == [["serverAuth"], ["clientAuth"]]


def test_a_certificate_tells_nobody_whose_it_is() -> None:
    """A worker shows its own to everybody who connects."""
    assert str(INSTANCE) not in parsed(OURS.worker).subject.rfc4514_string()


def test_what_a_machine_prints_of_the_keys_is_made_unreadable() -> None:
    printed = f"{OURS.worker.private_key}{SECRETS.worker_certificates(INSTANCE, 2).client.private_key}"
    told = SECRETS.redact(printed, INSTANCE, 2)
    assert told.count("[redacted]") == 2
    assert not [line for line in printed.splitlines() if not line.startswith("-----") and line in told]
