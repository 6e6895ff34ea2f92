"""The bytes of one file of the hub, in order, whatever breaks off in between."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from httpx2 import HTTPError
from huggingface_hub import get_session
from pydantic import SecretStr

from coldstart.mirroring.errors import NotMirrored
from services.provisioner.weights.source import WeightsFile
from shared.retry import backoff_s

_TRIES: Final = 6
"""In a row, without a byte."""
_TIMEOUT_S: Final = 30.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_PASSES: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""With these, and with any 5xx, trying again may help."""


@dataclass(frozen=True)
class Download:
    """`pause` waits for so many seconds; it may raise to end the download."""

    token: SecretStr | None
    pause: Callable[[float], None]

    def chunks(self, file: WeightsFile) -> Iterator[bytes]:
        """Not more than the file's size. Raises NotMirrored."""
        got = failures = 0
        while got < file.bytes:
            before = got
            try:
                for chunk in self._from(file, got):
                    piece = chunk[: file.bytes - got]
                    got += len(piece)
                    yield piece
                reason = f"it ended after {got} of {file.bytes} bytes"
            except HTTPError as error:
                reason = str(error) or repr(error)
            if got < file.bytes:
                failures = 1 if got > before else failures + 1
                if failures == _TRIES:
                    raise NotMirrored(f"The hub does not give {file.path}: {reason}.")
                self.pause(backoff_s(failures, _FIRST_PAUSE_S, _LONGEST_PAUSE_S))

    def _from(self, file: WeightsFile, begin: int) -> Iterator[bytes]:
        """Raises HTTPError where trying again may help, else NotMirrored."""
        headers = {"Range": f"bytes={begin}-", "Accept-Encoding": "identity"}
        if file.with_token and self.token:
            headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        with get_session().stream(
            "GET", file.url, headers=headers, timeout=_TIMEOUT_S, follow_redirects=True
        ) as answer:
            if answer.status_code in _PASSES or answer.is_server_error:
                raise HTTPError(f"it answered {answer.status_code}")
            if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise NotMirrored(f"The hub does not give {file.path}: it answered {answer.status_code}.")
            skip = begin if answer.status_code == HTTPStatus.OK else 0  # this server knows no ranges
            for chunk in answer.iter_raw():
                if skip < len(chunk):
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))
