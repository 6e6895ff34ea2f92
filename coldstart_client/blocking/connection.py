# Made from coldstart_client/aio/connection.py by `make docs`: change that.
"""Requests to one api: JSON in and out, refusals as errors, lists page by page, streams that resume."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

import httpx

from coldstart_client.backoff import pause_s
from coldstart_client.blocking.following import Following
from coldstart_client.errors import ConfigurationError, NoAnswer, Unavailable, UnexpectedAnswer
from coldstart_client.problems import error_of
from coldstart_client.settings import Address

TIMEOUT_S: Final = 30.0
CONNECT_S: Final = 5.0
RETRIES: Final = 2
_LONGEST_PAUSE_S: Final = 10.0


class Connection:
    """`timeout_s`: of each step of a request, 5 s at most of connecting. `retries`: how often what can be repeated is.

    `transport` replaces httpx's own, which uses the proxy that the environment names, and none on this computer.
    """

    def __init__(
        self,
        address: Address,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises ConfigurationError for an address that no request can be sent to."""
        self.url: Final = address.url
        self._timeout_s = timeout_s
        self._retries = retries
        try:
            self._http = httpx.Client(
                base_url=address.url,
                headers={"Authorization": f"Bearer {address.key}"},
                timeout=_timeout(timeout_s),
                transport=transport,
                trust_env=not address.on_this_computer,
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ConfigurationError(f"{address.url} is no address of an api: {error}") from error
        self.simulated = ""
        """What is simulated, by the api's last answer, e.g. `cloud, hub`; empty if nothing is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        timeout_s: float | None = None,
        repeatable: bool = False,
    ) -> Any:
        """The answer's JSON; None without a body. What is None in `query` and `headers` is not sent.

        `repeatable`: the request may be sent again if its answer is lost. A GET always may.

        Raises ApiError, NoAnswer, UnexpectedAnswer.
        """
        request = self._http.build_request(
            method,
            path,
            params=_given(query),
            json=body,
            headers=_given(headers),
            timeout=_timeout(self._timeout_s if timeout_s is None else timeout_s),
        )
        left = self._retries if repeatable or method == "GET" else 0
        for failures in range(1, left + 1):
            try:
                return self._sent(request)
            except NoAnswer:
                time.sleep(pause_s(failures))
            except Unavailable as refusal:
                if (refusal.retry_after or 0.0) > _LONGEST_PAUSE_S:
                    raise
                time.sleep(pause_s(failures, refusal.retry_after))
        return self._sent(request)

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page. Raises like `call`."""
        page = self.call("GET", path, query=query)
        for item in page["items"]:
            yield item
        while page["next_cursor"]:
            page = self.call("GET", path, query={**(query or {}), "cursor": page["next_cursor"]})
            for item in page["items"]:
                yield item

    def follow(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        after: str = "",
        patience_s: float | None = None,
        until: float | None = None,
    ) -> Following:
        """The messages of an event stream. `until`: a moment of time.monotonic() at which it ends."""
        return Following(self._http, self.url, path, _given(query), after=after, patience_s=patience_s, until=until)

    def position(self) -> str:
        """The current position in the events: `follow(…, after=position)` tells all that is recorded from now on."""
        with self.follow("/events") as events:
            return (next(events)).position

    def _sent(self, request: httpx.Request) -> Any:
        try:
            response = self._http.send(request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise NoAnswer(f"no answer from {self.url}: {str(error) or type(error).__name__}") from error
        self.simulated = response.headers.get("X-Coldstart-Simulated", "")
        if response.is_error:
            raise error_of(response)
        try:
            return response.json() if response.content else None
        except ValueError as error:
            raise UnexpectedAnswer(f"{self.url} answers with what is no JSON; is it an api?") from error


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(seconds, CONNECT_S))


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}
