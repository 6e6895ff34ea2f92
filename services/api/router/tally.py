"""What an answer used, read from its bytes as they pass; of a stream, the one chunk that we asked for is taken out."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Protocol

_USAGE: Final = re.compile(rb'"usage"\s*:\s*(?=\{)')
"""Never inside a string: there its quotes would be escaped."""
_ENDS: Final = (b"\r\n\r\n", b"\n\n", b"\r\r")
_EVENT_END: Final = re.compile(b"|".join(_ENDS))
_MAY_TELL_USAGE: Final = re.compile(rb"(?:d|da|dat|data|data:[ \t]*|data:[ \t]*\{.*)?\Z", re.DOTALL)
_LONGEST_USAGE: Final = 4_096
_LONGEST_NAME: Final = 64
"""Of `"usage" : {` with all its spaces: as much is looked at again with what comes next."""
_MOST_TOKENS: Final = 2**31 - 1
_LONGEST_EVENT: Final = 4_194_304
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Tokens:
    """`estimated`: the worker did not tell; a stream's chunks were counted, about one a token."""

    prompt: int
    completion: int
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.prompt + self.completion


class Tally(Protocol):
    """Sees every chunk of one answer."""

    def passing(self, chunk: bytes) -> bytes:
        """What of it, and of what was held back before, the client gets now."""

    def rest(self) -> bytes:
        """What is still held back when the answer has ended."""

    @property
    def inside_event(self) -> bool:
        """Whether the client has got the beginning of a server-sent event, and not yet its end."""

    @property
    def tokens(self) -> Tokens | None:
        """None while nothing was told."""


class WholeTally:
    """Of an answer that is one JSON document: it passes untouched, and where usage is told in it is noticed."""

    inside_event = False

    def __init__(self) -> None:
        self._before = b""
        self._usage: bytes | None = None

    def passing(self, chunk: bytes) -> bytes:
        seen = self._before + chunk
        told_at = max((told.end() for told in _USAGE.finditer(seen)), default=None)
        if told_at is not None:
            self._usage = seen[told_at : told_at + _LONGEST_USAGE]
        elif self._usage is not None and len(self._usage) < _LONGEST_USAGE:
            self._usage += chunk[: _LONGEST_USAGE - len(self._usage)]
        self._before = seen[-_LONGEST_NAME:]
        return chunk

    def rest(self) -> bytes:
        return b""

    @property
    def tokens(self) -> Tokens | None:
        return None if self._usage is None else _told(self._usage, 0)


class StreamTally:
    """Of server-sent events. They pass as they come, cut wherever they are cut.

    With `hides_usage`, what may yet turn out to be the event with nothing but the usage waits for the rest of it, and
    that one is taken out.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self._hides_usage = hides_usage
        self._unfinished = b""
        self._given = 0  # of the unfinished event, to the client
        self._events = 0
        self._told: Tokens | None = None

    @property
    def inside_event(self) -> bool:
        return self._given > 0

    def passing(self, chunk: bytes) -> bytes:
        data = self._unfinished + chunk if self._unfinished else chunk
        end = _last_end(data)
        passing = b""
        if end:
            passing = self._without_usage(data[:end])[self._given :]
            data, self._given = data[end:], 0
        if len(data) > _LONGEST_EVENT or not (self._hides_usage and _MAY_TELL_USAGE.match(data)):
            passing += data[self._given :]
            data = data[-_LONGEST_EVENT:]
            self._given = len(data)
        self._unfinished = data
        return passing

    def rest(self) -> bytes:
        unfinished, self._unfinished = self._unfinished, b""
        return self._without_usage(unfinished)[self._given :]

    @property
    def tokens(self) -> Tokens | None:
        if self._told is None and self._events:
            return Tokens(0, self._events, estimated=True)
        return self._told

    def _without_usage(self, events: bytes) -> bytes:
        self._events += events.count(b"data:")
        if _USAGE.search(events) is None:
            return events
        kept: list[bytes] = []
        begin = 0
        for end in [*(match.end() for match in _EVENT_END.finditer(events)), len(events)]:
            event, given, begin = events[begin:end], begin < self._given, end
            match = _USAGE.search(event)
            if match is not None:
                self._told = _told(event, match.end()) or self._told
            if match is None or given or not (self._hides_usage and _tells_usage_only(event)):
                kept.append(event)
        return b"".join(kept)


def _last_end(data: bytes) -> int:
    """Behind the last event that is whole. As _EVENT_END, but found from behind."""
    return max(at + len(end) if (at := data.rfind(end)) >= 0 else 0 for end in _ENDS)


def _told(data: bytes, at: int) -> Tokens | None:
    """None for what makes no sense: it was not written for us."""
    try:
        usage, _ = _DECODER.raw_decode(data[at : at + _LONGEST_USAGE].decode(errors="replace"))
        prompt, completion = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if all(type(count) is int and 0 <= count <= _MOST_TOKENS for count in (prompt, completion)):
        return Tokens(prompt, completion)
    return None


def _tells_usage_only(event: bytes) -> bool:
    """OpenAI's reference: the last chunk before [DONE], with usage and no choices."""
    lines = event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = b"\n".join(line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
    try:
        chunk: Any = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)
