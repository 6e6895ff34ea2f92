"""Only two things change in a body: the model's name, and `include_usage` in a stream's body that does not set it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.router.asked import Asked, read
from services.api.router.refusal import Refusal
from tests.api.router.steps import finished, longest_step

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


def ask(body: bytes) -> Asked:
    return finished(read(body))


def sent_on(body: bytes, model: str) -> bytes:
    return finished(ask(body).sent_on(model))


def written(body: dict[str, Any], *, indent: int | None, ascii_only: bool) -> bytes:
    return json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(BODIES, st.sampled_from([None, 0, 2]), st.booleans(), st.text(min_size=1))
def test_only_the_model_and_the_wish_for_usage_change(
    body: dict[str, Any], indent: int | None, ascii_only: bool, model: str
) -> None:
    sent = sent_on(written(body, indent=indent, ascii_only=ascii_only), model)
    wished = {"stream_options": {"include_usage": True}} if body.get("stream") else {}
    assert json.loads(sent) == {**body, "model": model, **wished}


@given(BODIES, st.sampled_from([None, 0, 2]))
def test_a_body_that_needs_no_change_is_the_same_bytes(body: dict[str, Any], indent: int | None) -> None:
    raw = written({**body, "stream": False}, indent=indent, ascii_only=True)
    assert sent_on(raw, body["model"]) is raw


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"a","x":{"model":"a"},"y":["model"]}', b'{"model":"b","x":{"model":"a"},"y":["model"]}'),
        (b' { "x" : "\\"model\\": " ,\t"model" :\n"a" } \n', b' { "x" : "\\"model\\": " ,\t"model" :\n"b" } \n'),
        (b'{"mod\\u0065l":"a","x":1e400}', b'{"mod\\u0065l":"b","x":1e400}'),
        (b'{"model":"a","model":"a","x":"\\\\"}', b'{"model":"b","model":"b","x":"\\\\"}'),
        (b'{"m\\u006fdel":"c","model":"a"}', b'{"m\\u006fdel":"b","model":"b"}'),
        (b'{"x":"\xc3\xa9","model":"a"}', b'{"x":"\xc3\xa9","model":"b"}'),
    ],
)
def test_every_other_byte_stays_when_the_model_is_renamed(body: bytes, sent: bytes) -> None:
    assert sent_on(body, "b") == sent


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
    asked = ask(body)
    assert (asked.hides_usage, finished(asked.sent_on("a"))) == (True, sent)


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
    sent = sent_on(body, "a")
    begin, end = b'"include_usage":true,', b'"include_usage":true'
    at = sent.index(end)
    assert body in (sent[:at] + sent[at + len(begin) :], sent[:at] + sent[at + len(end) :])
    assert json.loads(sent)["stream_options"] == {**json.loads(options), "include_usage": True}


def test_who_asks_for_usage_in_every_chunk_is_not_spared_the_last_one() -> None:
    """vLLM does the same: its `include_usage` is true if there are stream options without it."""
    asked = ask(b'{"model":"a","stream":true,"stream_options":{"continuous_usage_stats":true}}')
    assert not asked.hides_usage
    options = json.loads(finished(asked.sent_on("a")))["stream_options"]
    assert options == {"include_usage": True, "continuous_usage_stats": True}


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
    asked = ask(body)
    assert (asked.hides_usage, finished(asked.sent_on("a"))) == (False, body)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"model":}', b'"{}"', b"{}x", b"\xff", b'{"a":' + b"[" * 100_000]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        ask(body)
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")


@pytest.mark.parametrize("model", [b"3", b"{}", b"true", b'["a"]'])
def test_a_model_that_is_no_string_is_refused(model: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        ask(b'{"model":' + model + b"}")
    assert (refused.value.code, refused.value.param) == ("invalid_type", "model")


def test_a_model_that_is_named_in_another_spelling_is_not_taken_for_one_further_inside() -> None:
    body = b'{"x":{"model":"a"},"mod\\u0065l":"a"}'
    assert sent_on(body, "b") == b'{"x":{"model":"a"},"mod\\u0065l":"b"}'


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
        sent_on(body, "another/name")
    assert (refused.value.status, refused.value.code) == (400, "invalid_json")


LARGE = b'"x":"' + b"x" * 300_000 + b'"'
"""A member that makes a body too large to be read in one step."""


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{%b,"model":"a"}', b'{%b,"model":"b"}'),
        (b' {"model" : "a"\n, %b } ', b' {"model" : "b"\n, %b } '),
        (b'{"mod\\u0065l":"a",%b,"model":"a"}', b'{"mod\\u0065l":"b",%b,"model":"b"}'),
        (b'{"y":{"model":"a"},"model":"a",%b,"z":["model"]}', b'{"y":{"model":"a"},"model":"b",%b,"z":["model"]}'),
        (
            b'{"stream":1,%b,"stream_options":{"x":1e400},"model":"a"}',
            b'{"stream":1,%b,"stream_options":{"include_usage":true,"x":1e400},"model":"b"}',
        ),
        (
            b'{"stream":true,%b,"model":"a"}',
            b'{"stream_options":{"include_usage":true},"stream":true,%b,"model":"b"}',
        ),
    ],
)
def test_of_a_large_body_every_other_byte_stays_too(body: bytes, sent: bytes) -> None:
    asked = ask(body % LARGE)
    assert asked.model == "a"
    assert finished(asked.sent_on("b")) == sent % LARGE
    assert finished(ask(body % LARGE).sent_on("a")) == sent.replace(b'"b"', b'"a"') % LARGE


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'[{"model":"a",%b}]', "invalid_json"),
        (b'{%b,"model":"a"', "invalid_json"),
        (b'{%b "model":"a"}', "invalid_json"),
        (b'{%b,"model":"a"} {}', "invalid_json"),
        (b'{%b,"model":"a","y":"\xff"}', "invalid_json"),
        (b'{%b,"model":"a","y":"\xc3', "invalid_json"),
        (b'{%b,"model":["a"]}', "invalid_type"),
        (b'{%b,"model":"' + b"a" * 70_000 + b'"}', "invalid_value"),
        (b'{%b,"y":' + b"[" * 1_000 + b"]" * 1_000 + b"}", "invalid_json"),
        (b'{%b,"y":' + b"[" * 100_000, "invalid_json"),
        (b"{%b," + b'"y":0,' * 1_000 + b'"model":"a"}', "invalid_json"),
    ],
)
def test_a_large_body_is_refused_that_is_no_object_or_not_worth_the_work(body: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(body.replace(b"%b", LARGE))
    assert (refused.value.status, refused.value.code) == (400, code)


@pytest.mark.parametrize(
    "unit", [b'"model",', b'{"model":"a"},', b"[],", b"[[[[[[[[1]]]]]]]],", b'"\\"",', b'{"content":"hello"},', b" 1,"]
)
def test_renaming_a_model_never_holds_the_event_loop_for_long(unit: bytes) -> None:
    """The longest step is a small part of the whole work."""
    body = b'{"messages":[%b 0],"model":"a"}' % (unit * (4_000_000 // len(unit)))
    longest_s, whole_s, asked = longest_step(read(body))
    assert longest_s < whole_s / 4
    longest_s, _, sent = longest_step(asked.sent_on("b"))
    assert longest_s < whole_s * 2 / 3  # all of it is copied
    assert sent == body.replace(b'"model":"a"}', b'"model":"b"}') or unit == b'{"model":"a"},'


def test_many_names_in_a_body_that_is_read_in_one_go_are_no_long_work_either() -> None:
    body = b'{"messages":[%b 0],"model":"a"}' % (b'"model",' * 30_000)
    longest_s, whole_s, sent = longest_step(ask(body).sent_on("b"))
    assert longest_s < whole_s / 2
    assert sent == body.replace(b'"a"', b'"b"')
