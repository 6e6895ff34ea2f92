"""The connections to the hub: each request goes through the proxy that the environment names for its address."""

from collections.abc import Mapping
from threading import Lock
from urllib.request import getproxies_environment

from httpx2 import BaseTransport, Client, ConnectError, ConnectTimeout, HTTPTransport, ProxyError, Request, Response
from huggingface_hub import set_client_factory
from huggingface_hub.utils._http import hf_request_event_hook
from socksio import SOCKSError

from shared.proxies import NOT_SOCKS, UnusableProxy, proxy_for


class ByProxy(BaseTransport):
    """One pool of connections for each proxy, and one for direct connections. Any thread may use it."""

    def __init__(self, proxies: Mapping[str, str]) -> None:
        """`proxies` as for `proxy_for`."""
        self._proxies = proxies
        self._pools: dict[str | None, HTTPTransport] = {}
        self._lock = Lock()

    def handle_request(self, request: Request) -> Response:
        """Raises ProxyError also for a proxy that cannot be reached, or is not supported."""
        try:
            proxy = proxy_for(str(request.url), self._proxies)
        except UnusableProxy as error:
            raise ProxyError(str(error), request=request) from error
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = HTTPTransport(proxy=proxy)
        try:
            return self._pools[proxy].handle_request(request)
        except (ConnectError, ConnectTimeout) as error:
            if proxy is None:
                raise
            raise ProxyError(str(error), request=request) from error
        except SOCKSError as error:
            raise ProxyError(NOT_SOCKS, request=request) from error

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def use_proxies_by_address() -> None:
    """For all of huggingface_hub's requests from now on. It keeps one client for the whole process."""
    set_client_factory(_client)


def _client() -> Client:
    """As huggingface_hub makes it, but for the transport."""
    return Client(
        transport=ByProxy(getproxies_environment()),
        event_hooks={"request": [hf_request_event_hook]},
        follow_redirects=True,
        timeout=None,
    )
