"""What the router has to know of a request's body, and the two places in which it may change it."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from services.api.router.refusal import Refusal

_SPACE: Final = rb"[ \t\r\n]*"
_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN: Final = re.compile(_STRING + rb'|[{}\[\]]|[^\s"{}\[\]:,]+')
_NAMED: Final = b'"model"'
_MODEL: Final = re.compile(_NAMED + _SPACE + rb":" + _SPACE + rb"(" + _STRING + rb")")
_MEMBER: Final = re.compile(_SPACE + rb"(" + _STRING + rb")" + _SPACE + rb":" + _SPACE)
_OPENING: Final = re.compile(_SPACE + rb"\{" + _SPACE)
_INCLUDE: Final = b'"include_usage":true'
_ASK_FOR_USAGE: Final = b'"stream_options":{%b}' % _INCLUDE
_TRUE: Final = (b"true", b"1")  # vLLM takes a 1 for true
_UNSAID: Final = msgspec.Raw()


class _Body(msgspec.Struct):
    """All other fields are passed over, whatever they are."""

    model: Any = None
    stream: Any = False
    stream_options: msgspec.Raw = _UNSAID


class _Options(msgspec.Struct):
    include_usage: msgspec.Raw = _UNSAID
    continuous_usage_stats: msgspec.Raw = _UNSAID


_DECODER: Final = msgspec.json.Decoder(_Body)
_OPTIONS: Final = msgspec.json.Decoder(_Options)


@dataclass(frozen=True, slots=True)
class Asked:
    """`model` is what the client named.

    `adds_usage`: it streams, and has not said whether it wants usage told; `hides_usage`: nor has it asked for it in
    vLLM's own way, by `continuous_usage_stats`, which are told in every chunk and once more at the end.
    """

    body: bytes
    model: str | None
    streams: bool
    adds_usage: bool
    hides_usage: bool
    has_options: bool

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Raises Refusal for what is no JSON object, or names its model by something else than a string."""
        try:
            if not body.isascii():
                body.decode()  # the decoder does not look at what it passes over
            read = _DECODER.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refusal(400, "invalid_json", f"The body is no JSON object: {error}.") from None
        if read.model is not None and not isinstance(read.model, str):
            raise Refusal(400, "invalid_type", "`model` is a string.", param="model")
        options = bytes(read.stream_options)
        streams = read.stream in (True, 1)  # vLLM takes a 1 for true
        adds, hides = _what_is_unsaid(options) if streams else (False, False)
        return cls(body, read.model, streams, adds, hides, bool(options))

    def sent_on(self, model: str) -> bytes:
        """The body as the worker gets it: `model` is its name there, and usage is asked for; nothing else changes."""
        body = self.body
        if model != self.model:
            body = _renamed(body, model)
        if not self.adds_usage:
            return body
        if self.has_options:
            return _with_members(body, {"stream_options": _including_usage})
        opening = _OPENING.match(body)
        assert opening is not None  # noqa: S101  it was read as an object
        return body[: opening.end()] + _ASK_FOR_USAGE + b"," + body[opening.end() :]


def _renamed(body: bytes, model: str) -> bytes:
    """Where `"model"` stands just once, that is most likely the place: a look at the result is cheaper than a scan."""
    value = json.dumps(model).encode()
    if body.count(_NAMED) == 1 and (named := _MODEL.search(body)) is not None:
        renamed = body[: named.start(1)] + value + body[named.end(1) :]
        if _DECODER.decode(renamed).model == model:
            return renamed
    return _with_members(body, {"model": lambda _: value})


def _what_is_unsaid(options: bytes) -> tuple[bool, bool]:
    """Whether these, of a stream, say nothing of usage at its end; and whether they ask for none anywhere else."""
    if options in (b"", b"null"):
        return True, True
    if not options.startswith(b"{"):
        return False, False
    read = _OPTIONS.decode(options)
    unsaid = not bytes(read.include_usage)
    return unsaid, unsaid and bytes(read.continuous_usage_stats) not in _TRUE


def _including_usage(options: bytes) -> bytes:
    """`null`, or an object that says nothing of usage, with that wish added; what is neither stays as it is."""
    if options == b"null":
        return b"{%b}" % _INCLUDE
    opening = _OPENING.match(options)
    if opening is None:
        return options
    rest = options[opening.end() :]
    return opening[0] + _INCLUDE + (b"" if rest.startswith(b"}") else b",") + rest


def _with_members(body: bytes, changes: dict[str, Any]) -> bytes:
    """The body with the values of these members of its outermost object replaced; itself when it has none of them.

    A name that stands there twice is replaced twice: which of them a reader takes is its own affair.
    """
    pieces: list[bytes] = []
    copied = 0
    opening = _OPENING.match(body)
    at = opening.end() if opening else len(body)
    while (member := _MEMBER.match(body, at)) is not None:
        value_at, value_end = member.end(), _value_end(body, member.end())
        change = changes.get(json.loads(member[1]))
        if change is not None:
            pieces += [body[copied:value_at], change(body[value_at:value_end])]
            copied = value_end
        comma = body.find(b",", value_end)  # between two members nothing else can stand but space
        if comma < 0:
            break
        at = comma + 1
    return b"".join([*pieces, body[copied:]]) if pieces else body


def _value_end(body: bytes, at: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(body, at):
        if token[0] in (b"{", b"["):
            depth += 1
        elif token[0] in (b"}", b"]"):
            depth -= 1
        if depth == 0:
            return token.end()
    return len(body)
