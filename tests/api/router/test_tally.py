"""Answers pass unchanged, wherever they are cut, and the usage is read from them on the way."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.router.tally import StreamTally, Tally, Tokens, TooLong, WholeTally

USAGE: dict[str, Any] = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
DONE = b"data: [DONE]\n\n"


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "x", **fields}, ensure_ascii=False).encode() + b"\n\n"


def delta(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}}])


LAST = event(choices=[], usage=USAGE)
STREAM = delta("h\u00e9") + b": a comment\n\n" + delta('"usage":{"prompt_tokens":99} data: \U0001f642') + LAST + DONE


def passed(tally: Tally, chunks: list[bytes]) -> bytes:
    return b"".join(tally.passing(chunk) for chunk in chunks) + tally.rest()


@st.composite
def cut(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """The answer in pieces, cut anywhere: inside characters, names, events."""
    at = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=12)))
    return [whole[begin:end] for begin, end in zip([0, *at], [*at, len(whole)], strict=True)]


@given(cut(STREAM))
def test_a_stream_that_asked_for_usage_passes_byte_for_byte(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=False)
    assert passed(tally, chunks) == STREAM
    assert tally.tokens == Tokens(7, 3)


@given(cut(STREAM))
def test_a_stream_that_did_not_ask_gets_everything_but_the_usage_chunk(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=True)
    assert passed(tally, chunks) == STREAM.replace(LAST, b"")
    assert tally.tokens == Tokens(7, 3)


@given(cut(STREAM.replace(b"\n", b"\r\n")))
def test_other_ends_of_lines_are_kept_as_they_are(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=True)
    assert passed(tally, chunks) == STREAM.replace(LAST, b"").replace(b"\n", b"\r\n")
    assert tally.tokens == Tokens(7, 3)


def test_an_event_that_may_be_the_usage_waits_for_its_end() -> None:
    tally = StreamTally(hides_usage=True)
    first, second = delta("a"), delta("b")
    assert tally.passing(first + second[:9]) == first
    assert not tally.inside_event
    assert tally.passing(second[9:]) == second


@pytest.mark.parametrize("beginning", [b": comm", b"data: [DO", b"data: \xc3", b"event: x"])
def test_every_other_event_is_passed_on_as_it_comes(beginning: bytes) -> None:
    tally = StreamTally(hides_usage=True)
    assert tally.passing(beginning) == beginning
    assert tally.inside_event
    assert tally.passing(b"\n") + tally.passing(b"\n") == b"\n\n"
    assert tally.passing(LAST) == b""
    assert not tally.inside_event


@given(cut(STREAM))
def test_with_usage_asked_for_nothing_waits(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=False)
    assert [tally.passing(chunk) for chunk in chunks] == chunks


def test_usage_beside_choices_is_counted_and_left_where_it_is() -> None:
    tally = StreamTally(hides_usage=True)
    running = event(choices=[{"index": 0, "delta": {"content": "a"}}], usage=USAGE)
    assert tally.passing(running) == running
    assert tally.tokens == Tokens(7, 3)


def test_a_stream_whose_worker_tells_nothing_is_estimated_by_its_events() -> None:
    tally = StreamTally(hides_usage=True)
    tally.passing(delta("a") * 5)
    assert tally.tokens == Tokens(0, 5, estimated=True)


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    tally = StreamTally(hides_usage=True)
    endless = b"data: " + b"x" * 5_000_000
    assert tally.passing(endless) == endless


@pytest.mark.parametrize("hides_usage", [True, False])
@pytest.mark.parametrize("begun", [b"data: {", b": comment "])
def test_each_byte_of_an_event_is_looked_at_once(begun: bytes, hides_usage: bool) -> None:
    """A byte late in a long event costs no more than an early one."""

    def cost_s(size: int) -> float:
        tally = StreamTally(hides_usage=hides_usage)
        tally.passing(begun + b"x" * size)
        began = time.thread_time()
        for _ in range(2_000):
            tally.passing(b"x")
        return time.thread_time() - began

    assert cost_s(4_000_000) < 10 * cost_s(1_000)


def test_an_event_that_is_held_back_byte_by_byte_costs_the_same_for_each() -> None:
    tally = StreamTally(hides_usage=True)

    def cost_s() -> float:
        began = time.thread_time()
        for _ in range(10_000):
            assert tally.passing(b"x") == b""
        return time.thread_time() - began

    assert tally.passing(b"data: {") == b""
    first_s = cost_s()
    for _ in range(4):
        last_s = cost_s()
    assert last_s < 4 * first_s
    assert tally.passing(b"x" * 30_000) == b"data: {" + b"x" * 80_000  # too long for the usage alone


@pytest.mark.parametrize("hides_usage", [True, False])
def test_an_event_that_does_not_end_is_too_long_for_everybody(hides_usage: bool) -> None:
    tally = StreamTally(hides_usage=hides_usage)
    for _ in range(16):
        assert tally.passing(b"data: " + b"x" * 1_000_000)
    with pytest.raises(TooLong):
        tally.passing(b"x" * 1_000_000)
    assert tally.inside_event


def test_usage_told_with_every_event_is_taken_out_only_where_it_is_alone() -> None:
    tally = StreamTally(hides_usage=True)
    running = event(choices=[{"index": 0}], usage=USAGE)
    assert passed(tally, [running * 1_000 + LAST * 3 + DONE]) == running * 1_000 + DONE
    assert tally.tokens == Tokens(7, 3)


def test_a_worker_that_tells_nothing_but_usage_is_not_looked_at_for_ever() -> None:
    tally = StreamTally(hides_usage=True)
    shown = passed(tally, [LAST] * 1_000 + [DONE])
    assert shown.endswith(LAST + DONE)
    assert len(shown) > 900 * len(LAST)


NONSENSE = [
    b'{"prompt_tokens":"many"}', b"{", b"{}", b'{"prompt_tokens":-5}', b'{"prompt_tokens":3000000000}', b"[" * 5000,
    b'{"prompt_tokens":1e400}', b'{"prompt_tokens":1.5}', b'{"prompt_tokens":true}', b'{"a":' * 5000, b'{"a":[]}',
]  # fmt: skip


@pytest.mark.parametrize("usage", NONSENSE)
def test_usage_that_makes_no_sense_is_passed_on_and_not_counted(usage: bytes) -> None:
    odd = b'data: {"choices":[{}],"usage":' + usage + b"}\n\n"
    tally = StreamTally(hides_usage=True)
    assert passed(tally, [odd]) == odd
    assert tally.tokens == Tokens(0, 1, estimated=True)


TALKING_OF_USAGE = {"message": {"content": '"usage": {"prompt_tokens": 99}'}}
ANSWERS: dict[str, Any] = {
    "chat": {"id": "x", "choices": [TALKING_OF_USAGE], "usage": USAGE, "kv_transfer_params": None},
    "with the prompt's ids": {"choices": [], "usage": USAGE, "prompt_token_ids": list(range(8_000)), "kv": None},
    "embeddings": {"data": [{"embedding": [0.5] * 5_000}], "usage": {"prompt_tokens": 7, "total_tokens": 7}},
}


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [("chat", Tokens(7, 3)), ("with the prompt's ids", Tokens(7, 3)), ("embeddings", Tokens(7, 0))],
)
@given(data=st.data(), indent=st.sampled_from([None, 2]))
def test_a_whole_answer_passes_byte_for_byte_and_is_counted(
    answer: str, tokens: Tokens, data: st.DataObject, indent: int | None
) -> None:
    whole = json.dumps(ANSWERS[answer], indent=indent).encode()
    tally = WholeTally()
    assert passed(tally, data.draw(cut(whole))) == whole
    assert tally.tokens == tokens


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b'{"usage":null}', b'{"usage":{', b"not JSON", *(b'{"usage":' + odd for odd in NONSENSE)]
)
def test_an_answer_that_tells_nothing_counts_nothing(answer: bytes) -> None:
    tally = WholeTally()
    assert passed(tally, [answer]) == answer
    assert tally.tokens is None


def named(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + event(type=kind, **fields)


RESPONSES_USAGE: dict[str, Any] = {
    "input_tokens": 11, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 4, "total_tokens": 15,
}  # fmt: skip
ECHOED_TOOL = {"parameters": {"properties": {"usage": {"type": "object"}}}}
RESPONSE = (
    named("response.created", response={"usage": None, "tools": [ECHOED_TOOL]})
    + named("response.output_text.delta", delta='"usage":{"input_tokens":99}')
    + named("response.completed", response={"tools": [ECHOED_TOOL], "usage": RESPONSES_USAGE, "user": None})
)


@given(cut(RESPONSE))
def test_a_response_reports_its_usage_in_its_last_event(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=False)
    assert passed(tally, chunks) == RESPONSE
    assert (tally.tokens, tally.events) == (Tokens(11, 4), 3)


def test_a_response_that_breaks_off_before_that_is_estimated() -> None:
    tally = StreamTally(hides_usage=False)
    tally.passing(RESPONSE[: RESPONSE.index(b"event: response.completed")])
    assert tally.tokens == Tokens(0, 2, estimated=True)


BEGINNING = named("message_start", message={"content": [], "usage": {"input_tokens": 11, "output_tokens": 0}})
TEXT = named("content_block_delta", delta={"type": "text_delta", "text": '"usage":{"input_tokens":99}'})
STOP = named("message_stop")


@pytest.mark.parametrize("usage", [{"output_tokens": 4}, {"input_tokens": 11, "output_tokens": 4}])
@given(data=st.data())
def test_a_message_reports_its_prompt_first_and_the_rest_at_its_end(usage: dict[str, int], data: st.DataObject) -> None:
    whole = BEGINNING + TEXT * 3 + named("message_delta", delta={"stop_reason": "end_turn"}, usage=usage) + STOP
    tally = StreamTally(hides_usage=False, in_parts=True)
    assert passed(tally, data.draw(cut(whole))) == whole
    assert (tally.tokens, tally.events) == (Tokens(11, 4), 6)


@given(cut(BEGINNING + TEXT * 5))
def test_of_a_message_that_breaks_off_only_the_prompt_is_known(chunks: list[bytes]) -> None:
    tally = StreamTally(hides_usage=False, in_parts=True)
    passed(tally, chunks)
    assert tally.tokens == Tokens(11, 6, estimated=True)


@pytest.mark.parametrize("usage", [None, {"input_tokens": "many"}, {"output_tokens": -4}])
def test_a_message_that_reports_nothing_valid_is_estimated(usage: Any) -> None:
    tally = StreamTally(hides_usage=False, in_parts=True)
    tally.passing(named("message_start", message={"usage": usage}) + TEXT)
    tally.passing(named("message_delta", usage=usage))
    assert tally.tokens == Tokens(0, 3, estimated=True)


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"output": [], "usage": RESPONSES_USAGE, "user": None}, Tokens(11, 4)),
        ({"content": [], "usage": {"input_tokens": 11, "output_tokens": 4}}, Tokens(11, 4)),
        ({"usage": {"prompt_tokens": 4, "total_tokens": 4}, "results": [{"relevance_score": 0.5}]}, Tokens(4, 0)),
        ({"count": 2, "max_model_len": 2048, "tokens": [74, 75]}, None),
    ],
)
def test_each_api_s_own_names_are_read_from_a_whole_answer(answer: dict[str, Any], tokens: Tokens | None) -> None:
    tally = WholeTally()
    tally.passing(json.dumps(answer).encode())
    assert tally.tokens == tokens
