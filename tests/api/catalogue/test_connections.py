"""The hub's client goes by the proxy variables, and says when it was the proxy that did not lead there."""

import socket

import pytest
from httpx2 import Client, ConnectError, ProxyError

from services.api.catalogue.hub.client import HubUnreachable, failure
from services.api.catalogue.hub.connections import ByProxy
from tests.refusing_proxy import refusing_proxy

HUB = "https://hub.example.com"

pytestmark = pytest.mark.real


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port: int = closed.getsockname()[1]
    return port


def asked(proxies: dict[str, str], url: str = HUB) -> HubUnreachable:
    with Client(transport=ByProxy(proxies)) as client, pytest.raises(ProxyError) as refused:
        client.get(url)
    found = failure(refused.value, with_token=False, timeout_s=1.0)
    assert isinstance(found, HubUnreachable)
    return found


def test_a_proxy_that_refuses_is_named_with_its_words() -> None:
    with refusing_proxy() as proxy:
        reason = asked({"https": proxy}).reason
    assert reason == "the proxy does not lead there (403 Not with us): check HTTPS_PROXY and NO_PROXY"


def test_a_proxy_that_cannot_be_reached_or_is_not_supported_is_named() -> None:
    assert "the proxy does not lead there" in asked({"https": f"http://127.0.0.1:{free_port()}"}).reason
    assert "a proxy of the kind socks5, which is not supported" in asked({"all": "socks5://proxy:1080"}).reason


def test_a_hub_on_loopback_is_asked_directly() -> None:
    with Client(transport=ByProxy({"all": "socks5://proxy:1080"})) as client, pytest.raises(ConnectError):
        client.get(f"http://127.0.0.1:{free_port()}")
