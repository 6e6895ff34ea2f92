"""Which proxy leads to an address, from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. Pure.

Each HTTP library reads these variables in its own way. Some send even loopback to the proxy, ignore networks in
NO_PROXY, or fail on an IPv6 address there.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from shared.urls import is_loopback

CHECK: Final = "check HTTPS_PROXY, ALL_PROXY and NO_PROXY"
NOT_SOCKS: Final = "its answer is not SOCKS5"
_HTTP: Final = frozenset({"http", "https"})
_SOCKS: Final = frozenset({"socks5", "socks5h"})
_PORTS: Final = {"http": 80, "https": 443}


class UnusableProxy(ValueError):
    """The proxy for an address is of a kind that is not supported; the message says what to do."""


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """The URL of the proxy; None for a direct connection, as always to loopback.

    A SOCKS5 proxy has the scheme `socks5h`, also where its variable says `socks5`: it resolves the names.

    `proxies` are the variables by name, as urllib.request.getproxies_environment returns them: `http`, `https`, `all`,
    `no`. Raises UnusableProxy.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or _PORTS.get(parts.scheme)
    if is_loopback(url) or any(_covers(entry, host, port) for entry in proxies.get("no", "").replace(",", " ").split()):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = urlsplit(proxy).scheme.lower()
    if scheme in _SOCKS:
        return f"socks5h{proxy[len(scheme) :]}"
    if scheme not in _HTTP:
        raise UnusableProxy(
            f"{host} would be reached by a proxy of the kind {scheme}, which is not supported: name an HTTP or SOCKS5 "
            f"proxy in {parts.scheme.upper()}_PROXY, or {host} in NO_PROXY"
        )
    return proxy


def _covers(entry: str, host: str, port: int | None) -> bool:
    """An entry is `*`, a domain with all below it, an address or a network; a port may follow, IPv6 be in brackets."""
    if entry == "*":
        return True
    network = _network(entry)
    if network is None:
        entry, _, wanted = entry.rpartition(":") if ":" in entry else (entry, "", "")
        if wanted and wanted != str(port):
            return False
        network = _network(entry)
    if network is not None:
        address = _address(host)
        return address is not None and address in network
    domain = entry.removeprefix("*").strip(".").lower()
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(entry if "]:" in entry else entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
