"""The proxy variables, read in one way for every client."""

import pytest

from shared.proxies import UnusableProxy, proxy_for

PROXIES = {"http": "http://plain:3128", "https": "http://user:secret@secure:3128"}
HUB = "https://huggingface.co/api"


@pytest.mark.parametrize(
    ("url", "proxies", "proxy"),
    [
        (HUB, PROXIES, PROXIES["https"]),
        ("http://hub.example.com", PROXIES, PROXIES["http"]),
        (HUB, {}, None),
        (HUB, {"http": "http://plain:3128"}, None),
        (HUB, {"all": "http://any:3128"}, "http://any:3128"),
        (HUB, {"all": "socks5h://any:1080", **PROXIES}, PROXIES["https"]),
        (HUB, {"https": "secure:3128"}, "http://secure:3128"),
        (HUB, {"https": "http://[fd00::1]:3128"}, "http://[fd00::1]:3128"),
        (HUB, {"all": "socks5h://any:1080"}, "socks5h://any:1080"),
        (HUB, {"all": "SOCKS5://user:secret@[fd00::1]:1080"}, "socks5h://user:secret@[fd00::1]:1080"),
    ],
)
def test_the_proxy_of_the_scheme_leads_to_an_address_and_else_the_one_for_all(
    url: str, proxies: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(url, proxies) == proxy


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.8.9.10", "localhost:4566", "[::1]:8080"])
@pytest.mark.parametrize("proxies", [PROXIES, {"all": "socks5h://any:1080"}])
def test_loopback_is_never_behind_a_proxy(host: str, proxies: dict[str, str]) -> None:
    assert proxy_for(f"http://{host}/v1", proxies) is None


@pytest.mark.parametrize(
    ("host", "entry", "direct"),
    [
        ("hub.example.com", "*", True),
        ("hub.example.com", "example.com", True),
        ("hub.example.com", ".example.com", True),
        ("hub.example.com", "*.example.com", True),
        ("hub.example.com", "Hub.Example.Com", True),
        ("hub.example.com", "other.org, example.com", True),
        ("hub.example.com", "other.org example.com", True),
        ("hub.example.com", "ample.com", False),
        ("hub.example.com", "example.com:443", True),
        ("hub.example.com:8443", "example.com:443", False),
        ("hub.example.com:8443", "example.com:8443", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("hub.example.com", "10.0.0.0/8", False),
        ("[fd00::7]", "fd00::7", True),
        ("[fd00::7]", "[fd00::7]", True),
        ("[fd00::7]", "[fd00::7]:443", True),
        ("[fd00::7]:8443", "[fd00::7]:443", False),
        ("[fd00::7]", "fd00::/8", True),
        ("[fd00::7]", "[fd00::]/8", True),
        ("[2001:db8::7]", "fd00::/8", False),
        ("[fd00::7]", "10.0.0.0/8", False),
        ("hub.example.com", ".", False),
        ("hub.example.com", "", False),
    ],
)
def test_what_no_proxy_names_is_reached_directly(host: str, entry: str, direct: bool) -> None:
    assert proxy_for(f"https://{host}/api", {**PROXIES, "no": entry}) == (None if direct else PROXIES["https"])


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("[fd00::7]", "fd00::7"),
        ("[fd00::7]", "[fd00::7]:443"),
        ("[fd00::7]", "fd00::/8"),
        ("[2001:db8::7]", "fd00::/8"),
    ],
)
def test_what_no_proxy_names_is_not_asked_of_a_socks_proxy_either(address: str, entry: str) -> None:
    expected = None if address == "[fd00::7]" else "socks5h://any:1080"
    assert proxy_for(f"https://{address}/api", {"all": "socks5h://any:1080", "no": entry}) == expected


@pytest.mark.parametrize("kind", ["socks", "SOCKS4", "socks4a", "quic"])
def test_a_proxy_of_another_kind_is_named_with_what_to_do_unless_it_is_not_asked(kind: str) -> None:
    proxies = {"all": f"{kind}://any:1080"}
    with pytest.raises(UnusableProxy) as refused:
        proxy_for(HUB, proxies)
    assert str(refused.value) == (
        f"huggingface.co would be reached by a proxy of the kind {kind.lower()}, which is not supported: "
        "name an HTTP or SOCKS5 proxy in HTTPS_PROXY, or huggingface.co in NO_PROXY"
    )
    assert proxy_for(HUB, {**proxies, "no": "huggingface.co"}) is None
