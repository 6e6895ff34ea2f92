"""The command line's client of the api: the client library's, with answers as JSON or as the models of `shared`.

The words and groups of these models are what tables are made of, and the command line is of the api's version.
"""

import ssl
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError
from socksio import SOCKSError

from coldstart.refusals import Refused
from coldstart.stream_messages import AnyMessage, DeploymentHappened, Happened, StreamMessage, parsed
from coldstart_client.blocking.connection import Connection
from coldstart_client.blocking.following import Following
from coldstart_client.errors import ApiError, ColdstartError, EventsLost, NoAnswer, WrongField
from coldstart_client.settings import Address
from coldstart_client.stream_messages import Received
from shared.description import InstanceView
from shared.proxies import CHECK, NOT_SOCKS, UnusableProxy, proxy_for

PATIENCE_S: Final = 30.0
"""How long a lost event stream may stay away: an api restarts in seconds."""
Model = TypeVar("Model", bound=BaseModel)
ANOTHER_VERSION: Final = "the api tells what this version does not know; use the command line of its version."
_ON_THE_WAY: Final = (httpx.ProxyError, httpx.ConnectError, httpx.ConnectTimeout)


class ApiProblem(Refused):
    """The api refused, or could not be reached; the message is for people.

    `title` is the kind of refusal, and `wrong_fields` those it is about. Both are empty without an answer, and
    `status`, which is that of HTTP, is None.
    """

    def __init__(
        self, message: str, *, title: str = "", wrong_fields: Sequence[WrongField] = (), status: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.wrong_fields = tuple(wrong_fields)


class _Transport(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except SOCKSError as error:  # which httpx does not translate
            raise httpx.ProxyError(NOT_SOCKS) from error


def _authorities(url: str, proxy: str | None) -> ssl.SSLContext | bool:
    """None are read for plain HTTP, since that takes 45 ms; TLS would then be refused."""
    plain = urlsplit(url).scheme == "http" and proxy is None
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True


class Api:
    """`patience_s`: how long `events` waits for a lost api. Every method raises ApiProblem."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience_s: float = PATIENCE_S,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`timeout_s`: of each step of a request. `transport` replaces the one that heeds the proxy variables.

        Raises ApiProblem for an invalid address or key, or a proxy that is not supported.
        """
        self.url: Final = url
        self._patience_s = patience_s
        self._proxy: str | None = None
        self._following: Following | None = None
        with self._translated():
            address = Address(url, key)
            if transport is None:
                self._proxy = proxy_for(url, getproxies_environment())
                transport = _Transport(proxy=self._proxy, verify=_authorities(url, self._proxy))
            self._connection = Connection(address, timeout_s=timeout_s, retries=0, transport=transport)

    @property
    def simulated(self) -> str:
        """What is simulated, by the api's last answer, e.g. `cloud, hub`; empty if nothing is."""
        return self._connection.simulated

    @property
    def away(self) -> str | None:
        """Why no event can arrive now; None while a stream is open."""
        return self._following.away if self._following else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, query=query)

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        **query: Any,
    ) -> Any:
        return self._call("POST", path, body=body, query=query, headers=headers, timeout_s=timeout_s)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, body=body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PUT", path, body=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self._call("DELETE", path, query=query)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        with self._translated():
            yield from self._connection.pages(path, query)

    def instances(self, **query: Any) -> Iterator[InstanceView]:
        """The instances in `/instances`."""
        return (described(InstanceView, row) for row in self.pages("/instances", **query))

    def instance(self, instance_id: UUID) -> InstanceView:
        return described(InstanceView, self.get(f"/instances/{instance_id}"))

    def position(self) -> str:
        """The current position in the events: `stream(…, after=position)` yields everything recorded from now on."""
        with self._translated():
            return self._connection.position()

    def events(self, path: str, **query: str) -> Iterator[Happened]:
        """Events of instances as they are recorded. Endless; resumes after a lost connection without a gap."""
        return (event for event in self.stream(path, **query) if isinstance(event, Happened))

    def stream(self, path: str, *, after: str = "", **query: str) -> Iterator[StreamMessage]:
        """Events and estimates of instances, like `everything`."""
        messages = self.everything(path, after=after, **query)
        return (message for message in messages if not isinstance(message, DeploymentHappened))

    def everything(self, path: str, *, after: str = "", **query: str) -> Iterator[AnyMessage]:
        """Events and estimates.

        `after`: a position from the api; by default it begins now, or where `query` says.

        Raises ApiProblem if the api cannot be reached at first, or stays away for longer than `patience_s`.
        """
        with (
            self._translated(),
            self._connection.follow(path, query=query, after=after, patience_s=self._patience_s) as messages,
        ):
            self._following = messages
            for message in messages:
                if isinstance(message, Received):
                    yield _parsed(message.data)

    def _call(self, method: str, path: str, **what: Any) -> Any:
        with self._translated():
            return self._connection.call(method, path, **what)

    @contextmanager
    def _translated(self) -> Generator[None]:
        """Raise each error of the library, or of a proxy, as an ApiProblem."""
        try:
            yield
        except UnusableProxy as error:
            raise ApiProblem(f"{error}.") from error
        except ColdstartError as error:
            raise self._problem(error) from error

    def _problem(self, error: ColdstartError) -> ApiProblem:
        match error:
            case ApiError(message=title, status=status, wrong_fields=wrong):
                return ApiProblem(str(error), title=title, wrong_fields=wrong, status=status)
            case EventsLost():
                return ApiProblem("the event stream began anew; start again.")
            case NoAnswer(__cause__=why) if self._proxy and isinstance(why, _ON_THE_WAY):
                return ApiProblem(f"the proxy does not lead to {self.url} ({why}): {CHECK}.")
            case _:
                return ApiProblem(str(error))


def described(model: type[Model], answer: Any) -> Model:
    """The answer as a `model`. Raises ApiProblem for anything that this version does not know."""
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        raise ApiProblem(ANOTHER_VERSION) from error


def _parsed(message: dict[str, Any]) -> AnyMessage:
    """Raises ApiProblem like `described`."""
    try:
        return parsed(message)
    except (KeyError, ValueError) as error:
        raise ApiProblem(ANOTHER_VERSION) from error
