"""The hub's client goes by the proxy variables, and says when it was the proxy that did not lead there."""

import socket

import pytest
from httpx2 import Client, ConnectError, ProxyError

from services.api.catalogue.hub.client import HubUnreachable, failure
from services.api.catalogue.hub.connections import ByProxy
from tests.coldstart.fake_api import fake_api, values
from tests.refusing_proxy import refusing_proxy
from tests.socks_proxy import DOMAIN, NONSENSE, NOT_ALLOWED, socks_proxy

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
    assert reason == "the proxy does not lead there (403 Not with us): check HTTPS_PROXY, ALL_PROXY and NO_PROXY"


def test_a_proxy_that_cannot_be_reached_or_is_not_supported_is_named() -> None:
    assert "the proxy does not lead there" in asked({"https": f"http://127.0.0.1:{free_port()}"}).reason
    assert "the proxy does not lead there" in asked({"all": f"socks5h://127.0.0.1:{free_port()}"}).reason
    assert "a proxy of the kind socks4, which is not supported" in asked({"all": "socks4://proxy:1080"}).reason


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_leads_there_and_resolves_the_name(scheme: str) -> None:
    with fake_api() as hub, socks_proxy(hub.url, login=("us", "p@ss:word")) as proxy:
        hub.says("GET", "/api", values(1))
        with Client(transport=ByProxy({"all": proxy.url(scheme)})) as client:
            assert client.get("http://hub.invalid/api").json() == 1
            assert client.get("http://[2001:db8::8]/api").json() == 1
    assert [(kind == DOMAIN, host, port) for kind, host, port in proxy.asked] == [
        (True, "hub.invalid", 80),
        (False, "2001:db8::8", 80),
    ]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (NOT_ALLOWED, "Proxy Server could not connect: Connection not allowed by ruleset."),
        (NONSENSE, "its answer is not SOCKS5"),
    ],
)
def test_a_socks_proxy_that_refuses_is_named_with_its_words(reply: int, words: str) -> None:
    with socks_proxy(reply=reply) as proxy:
        reason = asked({"all": proxy.url("socks5h")}).reason
    assert reason == f"the proxy does not lead there ({words}): check HTTPS_PROXY, ALL_PROXY and NO_PROXY"


def test_a_socks_proxy_that_wants_another_login_is_named() -> None:
    with socks_proxy(login=("us", "secret")) as proxy:
        reason = asked({"all": f"socks5h://us:wrong@127.0.0.1:{proxy.port}"}).reason
    assert reason.startswith("the proxy does not lead there (Invalid username/password)")


def test_a_hub_on_loopback_is_asked_directly() -> None:
    with Client(transport=ByProxy({"all": "socks4://proxy:1080"})) as client, pytest.raises(ConnectError):
        client.get(f"http://127.0.0.1:{free_port()}")
