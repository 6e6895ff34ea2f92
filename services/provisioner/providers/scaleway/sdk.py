"""The official SDK, with what it lacks: a time-out on every request, kept connections, and bounded paging."""

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.request import getproxies_environment

import requests
from requests.adapters import HTTPAdapter
from scaleway import Client
from scaleway.account.v3 import AccountV3ProjectAPI
from scaleway.block.v1 import BlockV1API
from scaleway.iam.v1alpha1 import IamV1Alpha1API
from scaleway.instance.v1.custom_api import InstanceUtilsV1API
from scaleway.marketplace.v2 import MarketplaceV2API
from scaleway.product_catalog.v2alpha1 import ProductCatalogV2Alpha1PublicCatalogAPI
from scaleway_core.api import API, Body

from services.provisioner.provider import TIMED_OUT, TryAgain
from services.provisioner.providers.scaleway.calls import THREADS, time_left_s
from services.provisioner.providers.scaleway.errors import never_sent, refusal
from services.provisioner.providers.scaleway.settings import ScalewaySettings
from shared.proxies import UnusableProxy, proxy_for

PAGE_SIZE: Final = 100
"""The largest page that the API allows."""
MOST_PAGES: Final = 100
_PIECE: Final = 64 * 1024
LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes. A page of a hundred servers has some hundred thousand."""
CONNECT_S: Final = 3.0
"""Well under a call's own limit: only a failed connection proves that the cloud has not seen the request."""

T = TypeVar("T")


class _Timed(API):
    """Replaces the SDK's two HTTP methods, which have no time-out and expect JSON in every error."""

    def __init__(self, client: Client, session: requests.Session) -> None:
        super().__init__(client)
        self._session = session

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> requests.Response:
        """Logs no user data, unlike the SDK: it has keys in it. Follows no redirect: it would send our key away."""
        left_s = time_left_s()
        until = time.monotonic() + left_s
        proxies = _proxies(self.client.api_url)
        try:
            response = self._session.request(
                method=method,
                proxies=proxies,
                url=f"{self.client.api_url}{path}",
                params={name: value for name, value in (params or {}).items() if value is not None},
                headers={
                    "accept": "application/json",
                    "user-agent": self.client.user_agent,
                    "x-auth-token": self.client.secret_key or "",
                    **({} if body is None else {"content-type": "application/json; charset=utf-8"}),
                    **{name.lower(): value for name, value in (headers or {}).items()},
                },
                data=body if body is None or isinstance(body, bytes) else json.dumps(body),
                timeout=(min(CONNECT_S, left_s), left_s),
                allow_redirects=False,
                stream=True,
            )
        except requests.ConnectionError as error:
            if proxies and never_sent(error):  # requests says so of HTTP proxies only, and not of a time-out
                raise requests.exceptions.ProxyError(*error.args) from error
            raise
        response._content = _whole(response, until)  # noqa: SLF001  what the SDK and `json()` read
        total = response.headers.get("x-total-count")
        if total is not None and response.ok:
            content = {**response.json(), "total_count": int(total)}
            response._content = json.dumps(content).encode()  # noqa: SLF001  as the SDK does: its types read it there
        return response

    def _throw_on_error(self, res: requests.Response) -> None:
        if res.status_code >= requests.codes.multiple_choices:
            raise refusal(res, datetime.now(UTC))


def _proxies(url: str) -> dict[str, str]:
    """By scheme, as requests wants them. Raises TryAgain."""
    try:
        proxy = proxy_for(url, getproxies_environment())
    except UnusableProxy as error:
        raise TryAgain("cloud_unreachable", str(error), had_no_effect=True) from error
    return {} if proxy is None else {"http": proxy, "https": proxy}


def _whole(response: requests.Response, until: float) -> bytes:
    """Raises TryAgain if it is too large, or not complete at `until`: requests' own time-out is between two pieces.

    The caller may have left by then; the answer's meaning is logged all the same.
    """
    content = bytearray()
    for piece in response.iter_content(_PIECE):
        content += piece
        if time.monotonic() > until:
            response.close()
            raise TryAgain(TIMED_OUT, "the answer did not end in time: look at https://status.scaleway.com")
        if len(content) > LARGEST_ANSWER:
            response.close()
            raise TryAgain("bad_answer", f"an answer of more than {LARGEST_ANSWER} bytes: check SCW_API_URL")
    return bytes(content)


class InstanceApi(_Timed, InstanceUtilsV1API):
    pass


class BlockApi(_Timed, BlockV1API):
    pass


class MarketplaceApi(_Timed, MarketplaceV2API):
    pass


class IamApi(_Timed, IamV1Alpha1API):
    pass


class AccountApi(_Timed, AccountV3ProjectAPI):
    pass


class CatalogApi(_Timed, ProductCatalogV2Alpha1PublicCatalogAPI):
    pass


class Sdk:
    """All APIs over one pool of connections. Call it within `Calls` only."""

    def __init__(self, settings: ScalewaySettings) -> None:
        client = Client(
            access_key=settings.access_key,
            secret_key=settings.secret_key.get_secret_value(),
            api_url=settings.api_url,
            default_project_id=str(settings.default_project_id),
            default_zone=settings.default_zone,
        )
        self.project_id = str(settings.default_project_id)
        self._session = requests.Session()
        # From the environment, requests would also take proxies, in its own way, and a .netrc.
        self._session.trust_env = False
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=THREADS))
        self.instance = InstanceApi(client, self._session)
        self.block = BlockApi(client, self._session)
        self.marketplace = MarketplaceApi(client, self._session)
        self.catalog = CatalogApi(client, self._session)
        self.iam = IamApi(client, self._session)
        self.account = AccountApi(client, self._session)

    def close(self) -> None:
        self._session.close()


def pages(fetch: Callable[[int], tuple[list[T], int]]) -> list[T]:
    """All items of `fetch(page)`, until its total is reached or a page is empty.

    The SDK's own `list_…_all` recurses for ever if a server ignores `page`. Raises TryAgain.
    """
    items: list[T] = []
    for page in range(1, MOST_PAGES + 1):
        found, total = fetch(page)
        items += found
        if not found or len(items) >= total:
            return items
    raise TryAgain("bad_answer", f"a list of more than {MOST_PAGES} pages")
