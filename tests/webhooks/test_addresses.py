"""Only public addresses get messages, and those of networks that are allowed."""

from ipaddress import ip_network

import pytest

from services.webhooks.addresses import may_receive

PUBLIC = ("8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::1")
PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a00:1::", "2001:0:a00:1::"),
)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_receive_over_tls_alone(address: str) -> None:
    assert may_receive(address, (), encrypted=True)
    assert not may_receive(address, (), encrypted=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_no_other_address_may_receive_however_it_is_written(address: str) -> None:
    assert not may_receive(address, (), encrypted=True)


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_is_in_an_allowed_network_may_and_what_is_beside_it_may_not(*, encrypted: bool) -> None:
    allowed = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))
    assert all(may_receive(one, allowed, encrypted=encrypted) for one in ("10.1.2.3", "fd12::1", "::ffff:10.1.2.3"))
    assert not any(may_receive(one, allowed, encrypted=encrypted) for one in ("10.2.0.1", "fe80::1", "127.0.0.1"))
