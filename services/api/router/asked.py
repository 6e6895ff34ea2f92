"""What the router needs from a request's body, and the two places where it may change it."""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from services.api.router.endpoints import CHAT, Endpoint
from services.api.router.members import Malformed, Spans, Steps, spans
from services.api.router.refusal import Refusal

_AT_ONCE: Final = 262_144
"""A body up to this many bytes is decoded at once, in at most 1 ms; a larger one's outermost level in steps."""
_LONGEST_VALUE: Final = 65_536
"""The most bytes of a value that the router must understand, in a body that is read in steps."""
_SPACE: Final = rb"[ \t\r\n]*"
_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_NAMED: Final = b'"model"'
_MAY_SPELL_MODEL: Final = b"\\u006"
"""How an escaped letter of it begins."""
_MODEL: Final = re.compile(_NAMED + _SPACE + rb":" + _SPACE + rb"(" + _STRING + rb")")
_OPENING: Final = re.compile(_SPACE + rb"\{" + _SPACE)
_INCLUDE: Final = b'"include_usage":true'
_ASK_FOR_USAGE: Final = b'"stream_options":{%b},' % _INCLUDE
_TRUE: Final = (b"true", b"1")  # vLLM takes a 1 for true
_ABSENT: Final = msgspec.Raw()


class _Body(msgspec.Struct):
    """All other fields are ignored."""

    model: Any = None
    stream: Any = False
    stream_options: msgspec.Raw = _ABSENT


class _Options(msgspec.Struct):
    include_usage: msgspec.Raw = _ABSENT
    continuous_usage_stats: msgspec.Raw = _ABSENT


class _Edit(NamedTuple):
    begin: int
    end: int
    written: bytes


_DECODER: Final = msgspec.json.Decoder(_Body)
_OPTIONS: Final = msgspec.json.Decoder(_Options)


class Asked(NamedTuple):
    """`model` is the client's name for it; `spans` are set for a body that was read in steps.

    `adds_usage`: it streams where that takes `stream_options`, and they do not say whether it wants usage;
    `hides_usage`: nor has it asked in vLLM's own way, by `continuous_usage_stats`, which report it in every chunk and
    again at the end.
    """

    body: bytes
    model: str | None
    streams: bool
    adds_usage: bool
    hides_usage: bool
    has_options: bool
    spans: Spans | None = None

    def sent_on(self, model: str) -> bytes | Steps[bytes]:
        """The worker's body: `model` is its name there, and usage is requested; nothing else changes.

        In steps if that takes long.
        """
        body, renames = self.body, model != self.model
        if renames and self.spans is None and (renamed := _renamed_at_once(body, model)) is not None:
            body, renames = renamed, False
        if not renames and not self.adds_usage:
            return body
        return self._changed(body, model, renames=renames)

    def _changed(self, body: bytes, model: str, *, renames: bool) -> Steps[bytes]:
        changes: dict[str, Callable[[bytes], bytes]] = {}
        if renames:
            value = msgspec.json.encode(model)
            changes["model"] = lambda _: value
        if self.adds_usage and self.has_options:
            changes["stream_options"] = _including_usage
        edits: list[_Edit] = []
        if changes:
            found = self.spans
            if found is None:
                found = yield from _members(body)
            edits += _edits(body, found, changes)
        if self.adds_usage and not self.has_options:
            begin = body.index(b"{") + 1  # it says that it streams, so a member follows
            edits.append(_Edit(begin, begin, _ASK_FOR_USAGE))
        return _edited(body, edits)


def read(body: bytes, endpoint: Endpoint = CHAT) -> Asked | Steps[Asked]:
    """In steps if that takes long. Raises Refusal if it is not a JSON object, or the model is not a string."""
    return _asked(body, endpoint, _decoded(body), None) if len(body) <= _AT_ONCE else _read_in_steps(body, endpoint)


def _read_in_steps(body: bytes, endpoint: Endpoint) -> Steps[Asked]:
    found = yield from _members(body)
    return _asked(body, endpoint, _decoded(_of_interest(body, found)), found)


def _asked(body: bytes, endpoint: Endpoint, read: _Body, found: Spans | None) -> Asked:
    if read.model is not None and not isinstance(read.model, str):
        raise Refusal(400, "invalid_type", "`model` must be a string.", param="model")
    options = bytes(read.stream_options)
    streams = endpoint.streams and read.stream in (True, 1)  # vLLM takes a 1 for true
    adds, hides = _silence_on_usage(options) if streams and endpoint.stream_options else (False, False)
    return Asked(body, read.model, streams, adds, hides, bool(options), found)


def _decoded(body: bytes) -> _Body:
    try:
        if not body.isascii():
            body.decode()  # the decoder does not check what it skips
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _not_an_object(error) from None


def _members(body: bytes) -> Steps[Spans]:
    try:
        yield from _utf_8(body)
        return (yield from spans(body, _Body.__struct_fields__))
    except (Malformed, UnicodeDecodeError) as error:
        raise _not_an_object(error) from None


def _utf_8(body: bytes) -> Steps[None]:
    """Check that it is UTF-8. Raises UnicodeDecodeError."""
    if body.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    for begin in range(0, len(body), _AT_ONCE):
        decoder.decode(body[begin : begin + _AT_ONCE], final=begin + _AT_ONCE >= len(body))
        yield


def _not_an_object(error: Exception) -> Refusal:
    return Refusal(400, "invalid_json", f"The body is not a JSON object: {error}.")


def _of_interest(body: bytes, found: Spans) -> bytes:
    """An object of just these members. If a name occurs twice the last one counts, as for other parsers."""
    members = []
    for name, places in found.items():
        begin, end = places[-1]
        if end - begin > _LONGEST_VALUE:
            raise Refusal(400, "invalid_value", f"`{name}` may have at most {_LONGEST_VALUE} bytes.", param=name)
        members.append(b'"%b":%b' % (name.encode(), body[begin:end]))
    return b"{" + b",".join(members) + b"}"


def _renamed_at_once(body: bytes, model: str) -> bytes | None:
    """If `"model"` occurs just once, it is most likely the field: checking the result is cheaper than a scan."""
    if _MAY_SPELL_MODEL in body or body.count(_NAMED) != 1 or (named := _MODEL.search(body)) is None:
        return None
    renamed = body[: named.start(1)] + msgspec.json.encode(model) + body[named.end(1) :]
    return renamed if _DECODER.decode(renamed).model == model else None


def _silence_on_usage(options: bytes) -> tuple[bool, bool]:
    """Whether these stream options do not mention final usage; and whether they ask for none elsewhere."""
    if options in (b"", b"null"):
        return True, True
    if not options.startswith(b"{"):
        return False, False
    read = _OPTIONS.decode(options)
    silent = not bytes(read.include_usage)
    return silent, silent and bytes(read.continuous_usage_stats) not in _TRUE


def _including_usage(options: bytes) -> bytes:
    """`null`, or an object that does not mention usage, with `include_usage` added; anything else stays."""
    if options == b"null":
        return b"{%b}" % _INCLUDE
    opening = _OPENING.match(options)
    if opening is None:
        return options
    rest = options[opening.end() :]
    return opening[0] + _INCLUDE + (b"" if rest.startswith(b"}") else b",") + rest


def _edits(body: bytes, found: Spans, changes: dict[str, Callable[[bytes], bytes]]) -> Iterable[_Edit]:
    """A name that occurs twice is replaced twice, since parsers differ in which one they take."""
    for name, change in changes.items():
        for begin, end in found.get(name, ()):
            yield _Edit(begin, end, change(body[begin:end]))


def _edited(body: bytes, edits: list[_Edit]) -> bytes:
    """The same object if there is nothing to change."""
    if not edits:
        return body
    pieces: list[bytes | memoryview] = []
    whole, copied = memoryview(body), 0
    for edit in sorted(edits):
        pieces += [whole[copied : edit.begin], edit.written]
        copied = edit.end
    return b"".join([*pieces, whole[copied:]])
