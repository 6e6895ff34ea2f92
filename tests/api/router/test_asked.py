"""Of a body nothing changes but the model's name, and the wish for usage in a stream that has said nothing of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.router.asked import Asked
from services.api.router.refusal import Refusal

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = st.builds(
    lambda fields, own: {**fields, **own},
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.fixed_dictionaries({"model": st.text(min_size=1)}, optional={"stream": st.booleans()}),
).filter(lambda body: "stream_options" not in body)


def written(body: dict[str, Any], *, indent: int | None, ascii_only: bool) -> bytes:
    return json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(BODIES, st.sampled_from([None, 0, 2]), st.booleans(), st.text(min_size=1))
def test_only_the_model_and_the_wish_for_usage_change(
    body: dict[str, Any], indent: int | None, ascii_only: bool, model: str
) -> None:
    sent = Asked.of(written(body, indent=indent, ascii_only=ascii_only)).sent_on(model)
    wished = {"stream_options": {"include_usage": True}} if body.get("stream") else {}
    assert json.loads(sent) == {**body, "model": model, **wished}


@given(BODIES, st.sampled_from([None, 0, 2]))
def test_a_body_that_needs_no_change_is_the_same_bytes(body: dict[str, Any], indent: int | None) -> None:
    raw = written({**body, "stream": False}, indent=indent, ascii_only=True)
    assert Asked.of(raw).sent_on(body["model"]) is raw


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"a","x":{"model":"a"},"y":["model"]}', b'{"model":"b","x":{"model":"a"},"y":["model"]}'),
        (b' { "x" : "\\"model\\": " ,\t"model" :\n"a" } \n', b' { "x" : "\\"model\\": " ,\t"model" :\n"b" } \n'),
        (b'{"mod\\u0065l":"a","x":1e400}', b'{"mod\\u0065l":"b","x":1e400}'),
        (b'{"model":"a","model":"a","x":"\\\\"}', b'{"model":"b","model":"b","x":"\\\\"}'),
        (b'{"x":"\xc3\xa9","model":"a"}', b'{"x":"\xc3\xa9","model":"b"}'),
    ],
)
def test_every_other_byte_stays_when_the_model_is_renamed(body: bytes, sent: bytes) -> None:
    assert Asked.of(body).sent_on("b") == sent


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"stream":true,"model":"a"}', b'{"stream_options":{"include_usage":true},"stream":true,"model":"a"}'),
        (
            b'{"model":"a","stream":true, "stream_options" : { "x": 1e400,"x":"\\u00e9" }}',
            b'{"model":"a","stream":true, "stream_options" : { "include_usage":true,"x": 1e400,"x":"\\u00e9" }}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":{ }}',
            b'{"model":"a","stream":true,"stream_options":{ "include_usage":true}}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":{"continuous_usage_stats":false}}',
            b'{"model":"a","stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":false}}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":7,"stream_options":{}}',
            b'{"model":"a","stream":true,"stream_options":7,"stream_options":{"include_usage":true}}',
        ),
        (
            b'{"model":"a","stream":true,"stream_options":null}',
            b'{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
        ),
    ],
)
def test_a_stream_that_has_not_said_whether_it_wants_usage_asks_for_it_and_hides_it(body: bytes, sent: bytes) -> None:
    asked = Asked.of(body)
    assert (asked.hides_usage, asked.sent_on("a")) == (True, sent)


SPACE = st.text(" \t\r\n", max_size=3)
ODD = st.sampled_from(
    ["1e400", "-0.0", '"\\u0041\\/"', "[1 ,{ } ]", '{"include_usage": false}', '"}"', "null", '"\\\\"']
)


@st.composite
def odd_options(draw: st.DrawFn) -> str:
    """An object as nobody would write it: odd spaces, escapes, numbers; and the same name more than once."""
    members = draw(st.lists(st.tuples(st.sampled_from(["a", "b", "mod\\u0065l", "stream"]), ODD), max_size=4))
    spaces = draw(st.lists(SPACE, min_size=4 * len(members) + 1, max_size=4 * len(members) + 1))
    first, *others = spaces
    groups = [others[4 * at : 4 * at + 4] for at in range(len(members))]
    written = ",".join(
        f'{s[0]}"{name}"{s[1]}:{s[2]}{value}{s[3]}' for (name, value), s in zip(members, groups, strict=True)
    )
    return "{" + first + written + "}"


@given(odd_options(), SPACE, SPACE)
def test_whatever_else_the_options_of_a_stream_say_stays_as_it_was_written(
    options: str, before: str, after: str
) -> None:
    body = f'{{"model":"a","stream":true,"stream_options":{before}{options}{after}, "x":1e400}}'.encode()
    sent = Asked.of(body).sent_on("a")
    begin, end = b'"include_usage":true,', b'"include_usage":true'
    at = sent.index(end)
    assert body in (sent[:at] + sent[at + len(begin) :], sent[:at] + sent[at + len(end) :])
    assert json.loads(sent)["stream_options"] == {**json.loads(options), "include_usage": True}


def test_who_asks_for_usage_in_every_chunk_is_not_spared_the_last_one() -> None:
    """As vLLM does it by itself: its `include_usage` is true where there are options that say nothing of it."""
    asked = Asked.of(b'{"model":"a","stream":true,"stream_options":{"continuous_usage_stats":true}}')
    assert not asked.hides_usage
    assert json.loads(asked.sent_on("a"))["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"a","stream":true,"stream_options":{"include_usage":true}}',
        b'{"model":"a","stream":true,"stream_options":{"include_usage":false}}',
        b'{"model":"a","stream":false}',
        b'{"model":"a","stream":"no"}',
        b'{"model":"a","stream":true,"stream_options":"nonsense"}',
        b'{"model":"a"}',
    ],
)
def test_a_request_that_does_not_stream_or_has_said_it_is_sent_on_as_it_is(body: bytes) -> None:
    asked = Asked.of(body)
    assert (asked.hides_usage, asked.sent_on("a")) == (False, body)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"model":}', b'"{}"', b"{}x", b"\xff", b'{"a":' + b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        Asked.of(body)
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")


@pytest.mark.parametrize("model", [b"3", b"{}", b"true", b'["a"]'])
def test_a_model_that_is_no_string_is_refused(model: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        Asked.of(b'{"model":' + model + b"}")
    assert (refused.value.code, refused.value.param) == ("invalid_type", "model")


def test_a_model_that_is_named_in_another_spelling_is_not_taken_for_one_further_inside() -> None:
    body = b'{"x":{"model":"a"},"mod\\u0065l":"a"}'
    assert Asked.of(body).sent_on("b") == b'{"x":{"model":"a"},"mod\\u0065l":"b"}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"\xff": 1, "model": "a/b", "messages": [{"model": 1}]}',
        b'{"model": "a/b", "model": "a/b", "\xed\xa0\x80": 1}',
        b'{"model": "a/b", "prompt": "\xc3"}',
        b'{"model": "a/b", "stream": true, "stream_options": {"\xff": 1}}',
    ],
)
def test_a_body_that_is_no_utf_8_is_refused_wherever_it_is_not(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        Asked.of(body).sent_on("another/name")
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")
