"""Talking to the api as any HTTP client would: JSON in and out, problems as exceptions, events that resume."""

import json
from collections.abc import Iterator
from typing import Any, Final, Self

import httpx
from httpx_sse import SSEError, connect_sse

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
_SILENCE: Final = httpx.Timeout(30.0, connect=5.0, read=45.0)
"""For event streams: the api says something at least every 15 s."""
_RECONNECTS: Final = 10


class ApiProblem(Exception):
    """What the api answered instead, or why it could not be reached; the message is for people."""


class Api:
    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT)
        self._url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", path, params={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        return self._call("POST", path, json=body, headers=headers)

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        page = self.get(path, **query)
        yield from page["items"]
        while page["next_cursor"]:
            page = self.get(path, **{**query, "cursor": page["next_cursor"]})
            yield from page["items"]

    def events(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """CloudEvents as they are recorded; resumes after a lost connection without a gap. Endless."""
        last_id, failures = "", 0
        while True:
            headers = {"Last-Event-ID": last_id} if last_id else {}
            try:
                with connect_sse(self._client, "GET", path, params=query, headers=headers, timeout=_SILENCE) as stream:
                    if stream.response.is_error:
                        stream.response.read()
                        raise _problem(stream.response)
                    for message in stream.iter_sse():
                        failures = 0
                        if message.event == "reset":
                            raise ApiProblem("the event stream began anew; start again.")
                        last_id = message.id or last_id
                        if message.data:
                            yield json.loads(message.data)
            except (httpx.TransportError, SSEError) as error:
                failures += 1
                if failures > _RECONNECTS:
                    raise ApiProblem(f"lost {self._url}: {error}") from error

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            raise ApiProblem(f"no answer from {self._url}: {error}") from error
        if response.is_error:
            raise _problem(response)
        return response.json() if response.content else None


def _problem(response: httpx.Response) -> ApiProblem:
    try:
        problem = response.json()
    except ValueError:
        return ApiProblem(f"{response.status_code} {response.reason_phrase}")
    errors = problem.get("errors") or []
    lines = [f"  {error.get('field') or error.get('pointer', '')}: {error.get('detail', '')}" for error in errors]
    return ApiProblem("\n".join([str(problem.get("detail") or problem.get("title") or problem), *lines]))
