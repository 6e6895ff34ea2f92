"""An HTTP client of the api: JSON in and out, problems as exceptions, event streams that resume."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar
from urllib.request import getproxies_environment
from uuid import UUID

import httpx
from httpx_sse import SSEError, connect_sse
from pydantic import BaseModel, ValidationError
from socksio import SOCKSError

from coldstart.refusals import Refused
from coldstart.stream_messages import AnyMessage, DeploymentHappened, Happened, StreamMessage, parsed
from shared.description import InstanceView
from shared.proxies import CHECK, NOT_SOCKS, UnusableProxy, proxy_for

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_SILENCE: Final = httpx.Timeout(30.0, connect=5.0, read=45.0)
"""For event streams: the api sends something at least every 15 s."""
PATIENCE_S: Final = 30.0
"""How long a lost event stream may stay away: an api restarts in seconds."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
Model = TypeVar("Model", bound=BaseModel)
ANOTHER_VERSION: Final = "the api tells what this version does not know; use the command line of its version."
_COMING_BACK: Final = frozenset({502, 503, 504})


@dataclass(frozen=True)
class WrongField:
    """`pointer` is a JSON pointer into the request's body, e.g. `/vllm_args/1`."""

    pointer: str
    detail: str


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


class _Away(Exception):
    """The api, or its proxy, says that it will return."""


class _Transport(httpx.HTTPTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except SOCKSError as error:  # which httpx does not translate
            raise httpx.ProxyError(NOT_SOCKS) from error


class Api:
    """`patience_s`: how long `events` waits for a lost api."""

    def __init__(self, url: str, key: str, *, patience_s: float = PATIENCE_S, timeout_s: float | None = None) -> None:
        """`timeout_s`: of each step of a request.

        Raises ApiProblem for an invalid address or key, or a proxy that is not supported.
        """
        if not key.isascii() or not key.isprintable():
            raise ApiProblem("the key holds characters that no key has; see COLDSTART_API_KEY.")
        try:
            self._proxy = proxy_for(url, getproxies_environment())
            # With a transport of its own, httpx does not read the proxy variables.
            self._client = httpx.Client(
                base_url=url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=_TIMEOUT if timeout_s is None else timeout_s,
                transport=_Transport(proxy=self._proxy),
            )
        except UnusableProxy as error:
            raise ApiProblem(f"{error}.") from error
        except (httpx.InvalidURL, ValueError) as error:
            raise ApiProblem(f"{url} is no address of an api: {error}") from error
        self._url = url
        self._patience_s = patience_s
        self.simulated = ""
        """What is simulated, by the api's last answer, e.g. `cloud, hub`; empty if nothing is."""
        self.away: str | None = None
        """Why no event can arrive now; None while a stream is open."""

    @property
    def url(self) -> str:
        return self._url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params=_named(query))

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        **query: Any,
    ) -> Any:
        timeout = _TIMEOUT if timeout_s is None else httpx.Timeout(timeout_s, connect=_TIMEOUT.connect)
        return self._call("POST", path, json=body, params=_named(query), headers=headers, timeout=timeout)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, json=body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PUT", path, json=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self._call("DELETE", path, params=_named(query))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        page = self.get(path, **query)
        yield from page["items"]
        while page["next_cursor"]:
            page = self.get(path, **{**query, "cursor": page["next_cursor"]})
            yield from page["items"]

    def instances(self, **query: Any) -> Iterator[InstanceView]:
        """The instances in `/instances`. Raises ApiProblem."""
        return (described(InstanceView, row) for row in self.pages("/instances", **query))

    def instance(self, instance_id: UUID) -> InstanceView:
        """Raises ApiProblem."""
        return described(InstanceView, self.get(f"/instances/{instance_id}"))

    def position(self) -> str:
        """The current position in the events: `stream(…, after=position)` yields everything recorded from now on.

        Raises ApiProblem.
        """
        try:
            with connect_sse(self._client, "GET", "/events", timeout=_TIMEOUT) as stream:
                _refuse(stream.response, come_back=False)
                return next(message.id for message in stream.iter_sse() if message.id)
        except (httpx.TransportError, httpx.InvalidURL, SSEError, StopIteration) as error:
            raise ApiProblem(self._no_answer(error)) from error

    def events(self, path: str, **query: str) -> Iterator[Happened]:
        """Events of instances as they are recorded. Endless; resumes after a lost connection without a gap.

        Raises ApiProblem like `everything`.
        """
        return (event for event in self.stream(path, **query) if isinstance(event, Happened))

    def stream(self, path: str, *, after: str = "", **query: str) -> Iterator[StreamMessage]:
        """Events and estimates of instances, like `everything`."""
        messages = self.everything(path, after=after, **query)
        return (message for message in messages if not isinstance(message, DeploymentHappened))

    def everything(self, path: str, *, after: str = "", **query: str) -> Iterator[AnyMessage]:  # noqa: C901 - one loop: how a stream is lost, and how it goes on
        """Events and estimates.

        `after`: a position from the api; by default it begins now, or where `query` says.

        Raises ApiProblem if the api cannot be reached at first, or stays away for longer than `patience_s`.
        """
        last_id, opened, away_since, pause = after, False, time.monotonic(), _FIRST_PAUSE_S
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            serving, why = False, "it ended the stream"
            try:
                with connect_sse(self._client, "GET", path, params=query, headers=headers, timeout=_SILENCE) as stream:
                    _refuse(stream.response, come_back=opened)
                    serving = opened = True
                    self.away = None
                    for message in stream.iter_sse():
                        pause = _FIRST_PAUSE_S
                        if message.event == "reset":
                            raise ApiProblem("the event stream began anew; start again.")
                        last_id = message.id or last_id
                        if message.data:
                            yield _parsed(json.loads(message.data))
            except (httpx.TransportError, SSEError, _Away) as error:
                why = str(error)
                if not opened:
                    raise ApiProblem(self._no_answer(error)) from error
            except httpx.InvalidURL as error:
                raise ApiProblem(f"{self._url} is no address of an api: {error}") from error
            self.away = why
            if serving:
                away_since = time.monotonic()
            elif time.monotonic() - away_since > self._patience_s:
                raise ApiProblem(f"lost {self._url}: {why}")
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE_S, pause * 2)

    def _no_answer(self, error: Exception) -> str:
        if self._proxy and isinstance(error, httpx.ProxyError | httpx.ConnectError | httpx.ConnectTimeout):
            return f"the proxy does not lead to {self._url} ({error}): {CHECK}."
        return f"no answer from {self._url}: {str(error) or 'it ended the stream'}"

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._client.request(method, path, **options)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ApiProblem(self._no_answer(error)) from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Any:
        self.simulated = response.headers.get("X-Coldstart-Simulated", "")
        if response.is_error:
            raise _problem(response)
        return response.json() if response.content else None


def _named(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


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


def _refuse(response: httpx.Response, *, come_back: bool) -> None:
    """Raises ApiProblem for an error, or _Away for a temporary one if the caller may `come_back`."""
    if not response.is_error:
        return
    response.read()
    problem = _problem(response)
    if come_back and response.status_code in _COMING_BACK:
        raise _Away(str(problem))
    raise problem


def _problem(response: httpx.Response) -> ApiProblem:
    """A problem document (RFC 9457) as a line: what is wrong, then what to do."""
    status = response.status_code
    plain = ApiProblem(f"{status} {response.reason_phrase}", status=status)
    try:
        problem = response.json()
    except ValueError:
        return plain
    if not isinstance(problem, dict):
        return plain
    said = [str(problem[part]) for part in ("title", "detail") if problem.get(part)]
    if not said:
        return plain
    wrong = list(_wrong_fields(problem.get("errors")))
    return ApiProblem(": ".join(said), title=said[0], wrong_fields=wrong, status=status)


def _wrong_fields(errors: Any) -> Iterator[WrongField]:
    for error in errors if isinstance(errors, list) else ():
        match error:
            case {"pointer": str(pointer), "detail": str(detail)}:
                yield WrongField(pointer, detail)
