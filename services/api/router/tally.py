"""Reads an answer's usage from its bytes as they pass; removes from a stream the usage chunk that we asked for."""

import json
import re
from typing import Any, Final, NamedTuple, Protocol

_USAGE_NAME: Final = b'"usage"'
_USAGE: Final = re.compile(_USAGE_NAME + rb"\s*:\s*(?=\{)")
"""Cannot match inside a string: its quotes would be escaped there."""
_ENDS: Final = (b"\r\n\r\n", b"\n\n", b"\r\r")
_EVENT_END: Final = re.compile(b"|".join(_ENDS))
_LONGEST_TAIL: Final = 3
"""Bytes kept of an unfinished event: its end may be all but one byte of an event's end."""
_LONGEST_BEGINNING: Final = 80
_MAY_HOLD_USAGE: Final = re.compile(rb"(?:d|da|dat|data|data:[ \t]{0,64}(?:\{.*)?)\Z", re.DOTALL)
_NO_CHOICES: Final = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_DATA: Final = b"data:"
_LONGEST_USAGE: Final = 4_096
_LONGEST_NAME: Final = 64
"""The longest `"usage" : {` with spaces: this many bytes are searched again with the next chunk."""
_MOST_TOKENS: Final = 2**31 - 1
_LONGEST_HELD: Final = 65_536
"""The longest event that may contain only usage."""
_MOST_LOOKS: Final = 64
"""How many events without choices are parsed: one has the usage, and no other is expected."""
_LONGEST_EVENT: Final = 16_777_216
_DECODER: Final = json.JSONDecoder()


class Tokens(NamedTuple):
    """`estimated`: the worker did not report all; a stream's chunks were counted, about one a token.

    `prompt` is then 0, unless the worker has reported it.
    """

    prompt: int
    completion: int
    estimated: bool = False

    @property
    def total(self) -> int:
        return self.prompt + self.completion


class TooLong(Exception):
    """The worker sends an event that is too long to hold."""


class Tally(Protocol):
    """Sees every chunk of one answer, each byte once."""

    def passing(self, chunk: bytes) -> bytes:
        """The bytes that the client gets now, of this chunk and of what was held back. Raises TooLong."""

    def rest(self) -> bytes:
        """The bytes still held back when the answer has ended."""

    @property
    def inside_event(self) -> bool:
        """Whether the client has received the beginning of a server-sent event, but not its end."""

    @property
    def events(self) -> int:
        """How many server-sent events there were."""

    @property
    def ending(self) -> bytes:
        """The last two chunks of a stream."""

    @property
    def tokens(self) -> Tokens | None:
        """None while nothing was reported."""


class _Usage:
    """The last reported usage, found however it is split into chunks."""

    def __init__(self) -> None:
        self.before = b""
        self.found: bytes | None = None

    def see(self, piece: bytes) -> None:
        seen = self.before + piece
        begin = _last_usage(seen)
        if begin is not None:
            self.found = seen[begin : begin + _LONGEST_USAGE]
        elif self.found is not None and len(self.found) < _LONGEST_USAGE:
            self.found += piece[: _LONGEST_USAGE - len(self.found)]
        self.before = seen[-_LONGEST_NAME:]


class WholeTally:
    """For an answer that is one JSON document: it passes unchanged, and its usage is noted."""

    inside_event = False
    events = 0
    ending = b""

    def __init__(self) -> None:
        self._usage = _Usage()

    def passing(self, chunk: bytes) -> bytes:
        self._usage.see(chunk)
        return chunk

    def rest(self) -> bytes:
        return b""

    @property
    def tokens(self) -> Tokens | None:
        return _tokens(self._usage.found)


class StreamTally:
    """For server-sent events. They pass as they come, in whatever pieces.

    With `hides_usage`, an event that may turn out to contain only usage is held until its end, and then removed.
    With `in_parts`, the prompt's tokens are reported first, and the answer's at the end.
    """

    def __init__(self, *, hides_usage: bool, in_parts: bool = False) -> None:
        self._hides_usage = hides_usage
        self._in_parts = in_parts
        self.events = 0
        self._chunks = (b"", b"")
        self._reports = 0
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._looks = _MOST_LOOKS
        self._begin()

    def _begin(self) -> None:
        """Reset: no event is unfinished. For an unfinished one: its size, its last bytes, and the bytes held back."""
        self._size = 0
        self._tail = b""
        self._held: list[bytes] = []
        self._held_size = 0
        self._usage = _Usage()

    @property
    def inside_event(self) -> bool:
        return self._size > self._held_size

    @property
    def ending(self) -> bytes:
        return b"".join(self._chunks)

    def passing(self, chunk: bytes) -> bytes:
        self._chunks = (self._chunks[1], chunk)
        if not self._size and chunk.endswith(_ENDS):  # the usual case
            return self._without_usage(chunk)
        passing = b""
        if self._size:
            end = _EVENT_END.search(self._tail + chunk)
            if end is None:
                return self._going_on(chunk)
            behind = end.end() - len(self._tail)
            passing = self._ended(chunk[:behind])
            chunk = chunk[behind:]
        behind = _last_end(chunk, 0, len(chunk))
        passing += self._without_usage(chunk[:behind])
        return passing + self._going_on(chunk[behind:]) if behind < len(chunk) else passing

    def rest(self) -> bytes:
        return self._ended(b"")

    @property
    def tokens(self) -> Tokens | None:
        beginning = _tokens(self._first) if self._in_parts else None
        whole = None if beginning and self._reports == 1 else _tokens(self._last, beginning)
        if whole is not None:
            return whole
        prompt = beginning.prompt if beginning else 0
        return Tokens(prompt, self.events, estimated=True) if self.events else None

    def _going_on(self, piece: bytes) -> bytes:
        """More of an event, without its end."""
        waits = self._hides_usage and not self.inside_event
        self._size += len(piece)
        if self._size > _LONGEST_EVENT:
            raise TooLong(f"an event of more than {_LONGEST_EVENT} bytes")
        self._tail = (self._tail + piece)[-_LONGEST_TAIL:]
        if waits:
            self._held.append(piece)
            self._held_size += len(piece)
            if self._may_hold_usage():
                return b""
            piece = self._let_go()
        self._see(piece)
        return piece

    def _ended(self, piece: bytes) -> bytes:
        """The last piece of an event, if one has begun."""
        if self.inside_event:
            self._see(piece)
            if self._usage.found is not None:
                self._note(self._usage.found)
        else:
            piece = self._without_usage(self._let_go() + piece)
        self._begin()
        return piece

    def _may_hold_usage(self) -> bool:
        """Whether its beginning allows it. The first piece decides, or the few that make up as much."""
        if self._held_size > _LONGEST_HELD:
            return False
        if self._held_size - len(self._held[-1]) >= _LONGEST_BEGINNING:
            return True  # it was checked before
        return _MAY_HOLD_USAGE.match(b"".join(self._held)) is not None

    def _let_go(self) -> bytes:
        held = b"".join(self._held)
        self._held, self._held_size = [], 0
        return held

    def _see(self, piece: bytes) -> None:
        """Note a piece that the client gets before the event's end."""
        self.events += (self._usage.before[1 - len(_DATA) :] + piece).count(_DATA)
        self._usage.see(piece)

    def _without_usage(self, events: bytes) -> bytes:
        """Whole events without the one that contains only usage."""
        self.events += events.count(_DATA)
        begin = _last_usage(events)
        if begin is None:
            return events
        first = _first_usage(events) if self._in_parts else None
        if first not in (None, begin):
            self._note(events[first:][:_LONGEST_USAGE])
        self._note(events[begin : begin + _LONGEST_USAGE])
        return self._without_usage_only(events) if self._hides_usage else events

    def _note(self, usage: bytes) -> None:
        self._reports += 1
        self._first = self._first or usage
        self._last = usage

    def _without_usage_only(self, events: bytes) -> bytes:
        rest: list[bytes] = []
        copied = looked = 0
        while self._looks and (match := _NO_CHOICES.search(events, looked)) is not None:
            self._looks -= 1
            begin = _last_end(events, looked, match.start()) or looked
            end = _EVENT_END.search(events, match.end())
            looked = end.end() if end else len(events)
            if _holds_only_usage(events[begin:looked]):
                rest.append(events[copied:begin])
                copied = looked
        return b"".join([*rest, events[copied:]]) if rest else events


def _last_usage(data: bytes) -> int | None:
    """The position of the last usage. Searched backwards for the name alone: the pattern takes twice as long."""
    at = len(data)
    while (at := data.rfind(_USAGE_NAME, 0, at)) >= 0:
        if (match := _USAGE.match(data, at)) is not None:
            return match.end()
    return None


def _first_usage(data: bytes) -> int | None:
    match = _USAGE.search(data)
    return match.end() if match else None


def _last_end(data: bytes, begin: int, end: int) -> int:
    """The position after the last whole event between these; 0 without one. Like _EVENT_END, but searched backwards."""
    return max(at + len(mark) if (at := data.rfind(mark, begin, end)) >= 0 else 0 for mark in _ENDS)


def _tokens(usage: bytes | None, beginning: Tokens | None = None) -> Tokens | None:
    """None for invalid usage. A prompt that is not in it is the one reported at the `beginning`.

    The names are those of OpenAI's older API, or of its newer one and Anthropic's.
    """
    try:
        counts, _ = _DECODER.raw_decode((usage or b"").decode(errors="replace"))
        prompt = counts.get("prompt_tokens", counts.get("input_tokens"))
        completion = counts.get("completion_tokens", counts.get("output_tokens")) or 0
    except (ValueError, AttributeError, RecursionError):
        return None
    if prompt is None and beginning is not None:
        prompt = beginning.prompt
    return Tokens(prompt, completion) if _is_count(prompt) and _is_count(completion) else None


def _is_count(count: object) -> bool:
    return type(count) is int and 0 <= count <= _MOST_TOKENS


def _holds_only_usage(event: bytes) -> bool:
    """As in OpenAI's reference: the last chunk before [DONE], with usage and without choices."""
    if len(event) > _LONGEST_HELD:
        return False
    lines = event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    data = b"\n".join(line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
    try:
        chunk: Any = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)
