"""What a client of the simulated worker may ask, beyond the recorded answers."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from simulator.host.worker.engine import EngineDead
from simulator.host.worker.tokens import ids_of, text_of, tokens_of
from simulator.host.worker.version import Version, version_of
from tests.simulator.host.workers import MODEL, OLD, RECENT, a_worker, asked

EMBEDDING = "BAAI/bge-small-en-v1.5"
HELLO = [{"role": "user", "content": "Hello"}]
BOTH = pytest.mark.parametrize("version", [OLD, RECENT])
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"


def metric(text: str, name: str) -> float:
    return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.13.0", Version(0, 13, 0)),
        ("vllm/vllm-openai:v0.32.0-cu129", Version(0, 32, 0)),
        ("registry:5000/vllm/vllm-openai:v0.14.1", Version(0, 14, 1)),
        ("vllm/vllm-openai:latest", Version(0, 32, 0)),
    ],
)
def test_the_tag_of_the_image_says_which_version_is_played(image: str, version: Version) -> None:
    assert version_of(image) == version


@given(st.text())
def test_the_ids_of_tokens_become_the_text_again(text: str) -> None:
    ids = ids_of(tokens_of(text))
    assert text_of(ids) == text
    assert all(number < 2**53 for number in ids)


@BOTH
async def test_a_chat_has_as_many_choices_as_it_asks_for(version: str) -> None:
    body: dict[str, Any] = {"model": MODEL, "messages": HELLO, "n": 3, "max_tokens": 4}
    whole = ChatCompletion.model_validate((await asked(a_worker(version), CHAT, body)).json)
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 12
    streamed = await asked(a_worker(version), CHAT, body | {"stream": True})
    chunks = [ChatCompletionChunk.model_validate(event) for event in streamed.events[:-1]]
    for index in range(3):
        own = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        assert "".join(choice.delta.content or "" for choice in own) == whole.choices[index].message.content
        assert own[-1].finish_reason == "length"
        assert own[-1].delta.content


@BOTH
async def test_a_stop_string_ends_an_answer_before_it(version: str) -> None:
    body = {"model": MODEL, "messages": HELLO, "stop": ["simulated", "answer"]}
    (choice,) = (await asked(a_worker(version), CHAT, body)).json["choices"]
    assert choice["message"]["content"] == "You asked: “Hello” This "
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", "answer")


@BOTH
@pytest.mark.parametrize("stream", [True, False])
async def test_probabilities_are_told_for_each_token(version: str, *, stream: bool) -> None:
    body = {"model": MODEL, "messages": HELLO, "logprobs": True, "top_logprobs": 2, "max_tokens": 3, "stream": stream}
    answer = await asked(a_worker(version), CHAT, body)
    choices = [choice for event in answer.events[:-1] for choice in event["choices"]] if stream else [
        answer.json["choices"][0]
    ]  # fmt: skip
    told = [token for choice in choices if choice["logprobs"] for token in choice["logprobs"]["content"]]
    assert "".join(token["token"] for token in told) == "You asked:"
    assert [len(token["top_logprobs"]) for token in told] == [2, 2, 2]


async def test_completions_tell_probabilities_and_places() -> None:
    body = {"model": MODEL, "prompt": "Once", "logprobs": 1, "max_tokens": 3, "stream": True}
    events = (await asked(a_worker(), "/v1/completions", body)).events[:-1]
    told = [event["choices"][0] for event in events]
    assert [choice["logprobs"]["tokens"] for choice in told] == [[choice["text"]] for choice in told]
    ends = list(accumulate(len(choice["text"]) for choice in told))
    assert [choice["logprobs"]["text_offset"] for choice in told] == [[offset] for offset in (0, *ends[:-1])]


@pytest.mark.parametrize("prompt", ["How far", ["How far"], ids_of(tokens_of("How far")), [[*ids_of(["How far"])]]])
async def test_a_prompt_may_be_a_text_a_list_or_the_ids_of_tokens(prompt: Any) -> None:
    (choice,) = (await asked(a_worker(), "/v1/completions", {"prompt": prompt, "max_tokens": 99})).json["choices"]
    assert "“How far”" in choice["text"]


@pytest.mark.parametrize(
    ("asks", "refused"),
    [
        ({"n": 0}, "n must be at least 1, got 0."),
        ({"n": 2, "temperature": 0}, "n must be 1 when using greedy sampling, got 2."),
        ({"top_p": 0}, "top_p must be in (0, 1], got 0.0."),
        ({"stream_options": {"include_usage": True}}, "Stream options can only be defined when `stream=True`."),
        ({"top_logprobs": 2}, "when using `top_logprobs`, `logprobs` must be set to true."),
        ({"logprobs": True, "top_logprobs": 21}, "Requested sample logprobs of 21, which is greater than max allowed"),
        ({"max_tokens": "many"}, "Input should be a valid integer"),
        ({"messages": "Hello"}, "Input should be a valid list"),
        ({"messages": ["Hello"]}, "Input should be a valid dictionary"),
        ({"messages": [{"content": "Hello"}]}, "Field required"),
    ],
)  # fmt: skip
@BOTH
async def test_what_vllm_refuses_is_refused(version: str, asks: dict[str, Any], refused: str) -> None:
    answer = await asked(a_worker(version), CHAT, {"model": MODEL, "messages": HELLO} | asks)
    assert answer.status == 400
    assert refused in answer.message


@pytest.mark.parametrize(("version", "status"), [(OLD, 400), (RECENT, 200)])
async def test_0_32_gives_fewer_tokens_where_0_13_refuses_those_beside_the_prompt(version: str, status: int) -> None:
    worker = a_worker(version, "--max-model-len", "16")
    fits = {"prompt": "Hello you", "max_tokens": 13, "ignore_eos": True}
    assert (await asked(worker, "/v1/completions", fits)).json["usage"]["completion_tokens"] == 13
    answer = await asked(worker, "/v1/completions", fits | {"max_tokens": 16})
    assert answer.status == status
    if status == 200:
        assert answer.json["usage"]["total_tokens"] == 16


@pytest.mark.parametrize(
    ("path", "limit", "named"),
    [
        (CHAT, "max_tokens", "max_tokens"),
        (CHAT, "max_completion_tokens", "max_completion_tokens"),
        (MESSAGES, "max_tokens", "max_completion_tokens"),
        (RESPONSES, "max_output_tokens", "max_output_tokens"),
    ],
)
async def test_0_32_names_the_field_of_more_tokens_than_its_window_holds(path: str, limit: str, named: str) -> None:
    body = {"model": MODEL, "messages": HELLO, "input": "Hello", limit: 99_999}
    answer = await asked(a_worker(), path, body)
    assert answer.status == 400
    assert f"{named}=99999 cannot be greater than max_model_len=32768" in answer.message


@pytest.mark.parametrize(
    ("version", "said"),
    [(OLD, "your request has 16 input tokens"), (RECENT, "max_tokens must be at least 1, got 0.")],
)
async def test_a_prompt_that_fills_the_window_leaves_no_token(version: str, said: str) -> None:
    worker = a_worker(version, "--max-model-len", "16")
    answer = await asked(worker, "/v1/completions", {"prompt": " a" * 16, "max_tokens": 1})
    assert answer.status == 400
    assert said in answer.message


@pytest.mark.parametrize(
    ("arguments", "asks", "status"),
    [
        (("--enable-auto-tool-choice", "--tool-call-parser", "hermes"), {}, 200),
        ((), {"tool_choice": "none"}, 200),
        (("--tool-call-parser", "hermes"), {}, 400),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_tools_need_a_parser_only_where_the_model_chooses(
    path: str, arguments: tuple[str, ...], asks: dict[str, Any], status: int
) -> None:
    tools = [{"type": "function", "function": {"name": "f"}, "name": "f", "input_schema": {}}]
    if path == MESSAGES and asks:
        asks = {"tool_choice": {"type": "none"}}
    body = {"model": MODEL, "messages": HELLO, "tools": tools, "max_tokens": 1} | asks
    assert (await asked(a_worker(RECENT, *arguments), path, body)).status == status


CALL = {"type": "function", "function": {"name": "weather", "arguments": "{}"}}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@BOTH
@pytest.mark.parametrize(
    ("choice", "reason"), [({"type": "function", "function": {"name": "weather"}}, "stop"), ("required", "tool_calls")]
)
async def test_a_chat_calls_the_tool_that_it_has_to_call(version: str, choice: Any, reason: str) -> None:
    body = {"model": MODEL, "messages": HELLO, "tools": [WEATHER], "tool_choice": choice}
    whole = ChatCompletion.model_validate((await asked(a_worker(version), CHAT, body)).json).choices[0]
    assert whole.message.tool_calls is not None
    assert whole.message.tool_calls[0].model_dump(exclude={"id"}) == CALL
    assert (whole.message.content, whole.finish_reason) == ("", reason)
    streamed = (await asked(a_worker(version), CHAT, body | {"stream": True})).events[:-1]
    last = ChatCompletionChunk.model_validate(streamed[-1]).choices[0]
    assert last.delta.tool_calls is not None
    assert last.delta.tool_calls[0].model_dump(exclude={"id"}) == CALL | {"index": 0}
    assert last.finish_reason == reason


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
async def test_a_message_uses_the_tool_that_it_has_to_use(choice: dict[str, str]) -> None:
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    body = {"model": MODEL, "messages": HELLO, "tools": [tool], "tool_choice": choice, "max_tokens": 9}
    message = (await asked(a_worker(), MESSAGES, body)).json
    use = {"type": "tool_use", "name": "weather", "input": {}}
    assert [use | {"id": block["id"]} for block in message["content"]] == message["content"]
    assert message["stop_reason"] == "tool_use"
    _, begin, delta, _, end, _ = (await asked(a_worker(), MESSAGES, body | {"stream": True})).events
    assert begin["content_block"] == use | {"id": begin["content_block"]["id"]}
    assert delta["delta"] == {"type": "input_json_delta", "partial_json": "{}"}
    assert end["delta"]["stop_reason"] == "tool_use"


@BOTH
async def test_the_usage_beside_a_chunk_is_that_of_its_own_choice(version: str) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    body = {"prompt": ["One", "One two three"], "n": 2, "max_tokens": 2, "stream": True, "stream_options": options}
    events = (await asked(a_worker(version), "/v1/completions", body)).events[:-1]
    alone = {index: event["usage"] for event in events[:-1] for index in [event["choices"][0]["index"]]}
    assert [usage["completion_tokens"] for usage in alone.values()] == [2, 2, 2, 2]
    assert alone[0]["prompt_tokens"] < alone[2]["prompt_tokens"]
    assert events[-1]["usage"]["completion_tokens"] == 8
    assert events[-1]["usage"]["prompt_tokens"] == alone[0]["prompt_tokens"] + alone[2]["prompt_tokens"]


async def test_a_model_for_images_takes_them() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    body = {"messages": [{"role": "user", "content": parts}]}
    assert (await asked(a_worker(model="Qwen/Qwen2.5-VL-7B-Instruct"), CHAT, body)).status == 200


@BOTH
@pytest.mark.parametrize("limit", [4, None])
async def test_a_streamed_response_has_openais_events_and_ends_with_the_whole_one(
    version: str, limit: int | None
) -> None:
    body = {"model": MODEL, "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
            "max_output_tokens": limit}  # fmt: skip
    whole = (await asked(a_worker(version), RESPONSES, body)).json
    answer = await asked(a_worker(version), RESPONSES, body | {"stream": True})
    events = answer.events
    kinds = [event["type"] for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")] == kinds
    ended = events[-1]["response"]
    assert ended["output"][0]["content"] == whole["output"][0]["content"]
    assert "".join(event["delta"] for event in events[4:-4]) == whole["output"][0]["content"][0]["text"]
    assert ended["usage"] == whole["usage"]
    assert ended["status"] == ("incomplete" if limit and version == RECENT else "completed")


async def test_the_responses_of_0_32_have_the_types_of_openais_client() -> None:
    answer = await asked(a_worker(), RESPONSES, {"model": MODEL, "input": "Hello", "stream": True})
    events = [TypeAdapter[Any](ResponseStreamEvent).validate_python(event) for event in answer.events]
    assert Response.model_validate(events[-1].response).output_text == events[-4].text


async def test_no_response_is_kept() -> None:
    answer = await asked(a_worker(), RESPONSES, {"input": "Go on", "previous_response_id": "resp_1"})
    assert (answer.status, answer.message) == (404, "Response with id 'resp_1' not found.")


async def test_a_streamed_message_has_anthropics_events() -> None:
    body = {"model": MODEL, "messages": HELLO, "system": "Be brief.", "max_tokens": 4}
    whole = (await asked(a_worker(), MESSAGES, body)).json
    answer = await asked(a_worker(), MESSAGES, body | {"stream": True})
    start, begin, *deltas, end, delta, stop = answer.events
    assert start["message"] | {"id": "", "usage": None} == {
        "id": "", "type": "message", "role": "assistant", "content": [], "model": MODEL, "stop_reason": None,
        "stop_sequence": None, "usage": None,
    }  # fmt: skip
    assert begin == {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    assert "".join(each["delta"]["text"] for each in deltas) == whole["content"][0]["text"]
    assert end == {"type": "content_block_stop", "index": 0}
    assert delta["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    assert delta["usage"] == whole["usage"] == {"input_tokens": whole["usage"]["input_tokens"], "output_tokens": 4}
    assert stop == {"type": "message_stop"}
    assert [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")] == [
        event["type"] for event in answer.events
    ]


async def test_0_13_ends_a_streamed_message_as_openai_does() -> None:
    body = {"model": MODEL, "messages": HELLO, "max_tokens": 4, "stream": True}
    events = (await asked(a_worker(OLD), MESSAGES, body)).events
    assert events[-2:] == [{"type": "message_stop"}, "[DONE]"]
    assert not {"type", "role"} & events[0]["message"].keys()


async def test_a_message_ends_at_a_stop_sequence() -> None:
    body = {"model": MODEL, "messages": HELLO, "max_tokens": 99, "stop_sequences": ["This"]}
    message = (await asked(a_worker(), MESSAGES, body)).json
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "This")


async def test_the_counted_tokens_are_those_of_the_message() -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "How far is it?"}]}]}
    counted = (await asked(a_worker(), f"{MESSAGES}/count_tokens", body)).json
    message = (await asked(a_worker(), MESSAGES, body | {"max_tokens": 1})).json
    assert counted["input_tokens"] == message["usage"]["input_tokens"]
    assert counted["context_management"] == {"original_input_tokens": counted["input_tokens"]}
    assert (await asked(a_worker(OLD), f"{MESSAGES}/count_tokens", body)).status == 404


async def test_errors_of_messages_have_anthropics_shape_once_the_request_is_valid() -> None:
    asks = {"messages": HELLO, "max_tokens": 1}
    other = await asked(a_worker(), MESSAGES, asks | {"model": "nope"})
    assert (other.status, other.json["type"], other.json["error"]["type"]) == (404, "error", "NotFoundError")
    no_limit = await asked(a_worker(), MESSAGES, {"model": MODEL, "messages": HELLO})
    assert (no_limit.status, no_limit.json["error"]["type"]) == (400, "Bad Request")
    assert (await asked(a_worker(), MESSAGES, asks | {"max_tokens": 0})).status == 400


async def test_a_text_becomes_tokens_and_again_a_text() -> None:
    asks = {"model": MODEL, "prompt": "Tokens, and “text”", "return_token_strs": True}
    tokens = (await asked(a_worker(), "/tokenize", asks, key=None)).json
    assert tokens["count"] == len(tokens["tokens"]) == len(tokens["token_strs"])
    again = await asked(a_worker(OLD), "/detokenize", {"model": MODEL, "tokens": tokens["tokens"]}, key=None)
    assert again.json == {"prompt": "Tokens, and “text”"}
    chat = (await asked(a_worker(), "/tokenize", {"model": MODEL, "messages": HELLO})).json
    assert chat["count"] > 0
    assert (await asked(a_worker(), "/detokenize", {"tokens": [-1]})).status == 400


@BOTH
async def test_an_embedding_model_ranks_documents_and_scores_pairs(version: str) -> None:
    worker = a_worker(version, model=EMBEDDING)
    documents = ["one", "two", "three"]
    asks = {"model": EMBEDDING, "query": "two", "documents": documents}
    ranked = (await asked(worker, "/v1/rerank", asks | {"top_n": 2})).json
    assert ranked["results"][0] == {
        "index": 1, "document": {"text": "two", "multi_modal": None}, "relevance_score": pytest.approx(1.0),
    }  # fmt: skip
    assert len(ranked["results"]) == 2
    scored = (await asked(worker, "/v1/score", {"model": EMBEDDING, "text_1": "two", "text_2": documents})).json
    assert [each["score"] for each in scored["data"]][1] == pytest.approx(1.0)
    assert ranked["usage"]["prompt_tokens"] == scored["usage"]["prompt_tokens"] > 0
    pairs = {"model": EMBEDDING, "text_1": ["one", "two"], "text_2": documents}
    assert (await asked(worker, "/v1/score", pairs)).status == 400


@BOTH
async def test_an_embedding_has_the_length_of_its_model(version: str) -> None:
    asks = {"model": EMBEDDING, "input": ["one", "two"]}
    answer = await asked(a_worker(version, model=EMBEDDING), "/v1/embeddings", asks)
    assert len(CreateEmbeddingResponse.model_validate(answer.json).data) == 2
    short = await asked(a_worker(version, model=EMBEDDING), "/v1/embeddings", asks | {"dimensions": 8})
    assert short.status == 400
    assert "does not support matryoshka" in short.message.lower()


@pytest.mark.parametrize(
    ("version", "said"),
    [(OLD, "you requested 600 tokens in the input for embedding generation"), (RECENT, "contains at least 513 input")],
)
async def test_a_text_to_embed_has_to_fit_into_the_window(version: str, said: str) -> None:
    body = {"model": EMBEDDING, "input": " a" * 600}
    answer = await asked(a_worker(version, model=EMBEDDING), "/v1/embeddings", body)
    assert answer.status == 400
    assert said in answer.message


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank", "/v1/score"])
async def test_0_32_has_no_routes_for_the_other_kind_of_model(path: str) -> None:
    assert (await asked(a_worker(), path, {"model": MODEL, "input": "text"})).status == 404
    assert (await asked(a_worker(model=EMBEDDING), CHAT, {"messages": HELLO})).status == 404


@BOTH
async def test_some_paths_need_no_key(version: str) -> None:
    worker = a_worker(version)
    for path in ("/health", "/ping", "/metrics", "/version", "/load"):
        assert (await asked(worker, path, method="GET", key=None)).status == 200
    for path in ("/invocations", "/tokenize"):
        assert (await asked(worker, path, {"messages": HELLO}, key=None)).status == 200
    for path in (CHAT, MESSAGES, RESPONSES, "/v1/anything"):
        assert (await asked(worker, path, {"messages": HELLO}, key=None)).status == 401


async def test_an_invocation_is_whatever_its_fields_say() -> None:
    chat = (await asked(a_worker(), "/invocations", {"messages": HELLO})).json
    completion = (await asked(a_worker(), "/invocations", {"prompt": "Hello"})).json
    embedding = (await asked(a_worker(model=EMBEDDING), "/invocations", {"input": "Hello"})).json
    assert (chat["object"], completion["object"], embedding["object"]) == ("chat.completion", "text_completion", "list")
    assert (await asked(a_worker(), "/invocations", {"input": "Hello"})).status == 400


@BOTH
async def test_a_dead_engine_answers_500_at_once_and_is_not_healthy(version: str) -> None:
    worker = a_worker(version)
    worker.engine.dead = True
    said = "EngineCore encountered an issue. See stack trace (above) for the root cause."
    for path in (CHAT, "/v1/completions", RESPONSES):
        answer = await asked(worker, path, {"model": MODEL, "messages": HELLO, "prompt": "a", "input": "a"})
        assert (answer.status, answer.message) == (500, said)
    message = await asked(worker, MESSAGES, {"model": MODEL, "messages": HELLO, "max_tokens": 1})
    assert message.status == 500
    assert message.json["type"] == "error"
    assert (await asked(worker, "/health", method="GET")).status == 503
    assert (await asked(worker, "/v1/models", method="GET")).status == 200


@pytest.mark.parametrize(
    ("version", "path", "error"),
    [
        (OLD, CHAT, {"type": "BadRequestError", "code": 400}),
        (RECENT, CHAT, {"type": "InternalServerError", "code": 500}),
        (RECENT, "/v1/completions", {"type": "InternalServerError", "code": 500}),
        (RECENT, MESSAGES, {"type": "internal_error"}),
    ],
)
async def test_a_stream_whose_engine_dies_ends_with_an_error(version: str, path: str, error: dict[str, Any]) -> None:
    worker = a_worker(version)
    body = {"model": MODEL, "messages": HELLO, "prompt": "a", "max_tokens": 9, "stream": True}

    def dying(part: str) -> None:
        worker.engine.dead = worker.engine.dead or "You" in part or '"text"' in part

    events = [event for event in (await asked(worker, path, body, sees=dying)).events if event != "[DONE]"]
    assert error.items() <= events[-1]["error"].items()


async def test_a_streamed_response_breaks_off_when_the_engine_dies() -> None:
    worker = a_worker()

    def dying(part: str) -> None:
        worker.engine.dead = "response.output_text.delta" in part

    with pytest.raises(EngineDead):
        await asked(worker, RESPONSES, {"input": "Hello", "stream": True}, sees=dying)


@pytest.mark.parametrize(("stream", "leaves_after"), [(True, 3), (False, 0)])
async def test_a_client_that_leaves_is_gone_from_the_engine(leaves_after: int, *, stream: bool) -> None:
    worker = a_worker()
    body = {"model": MODEL, "messages": HELLO, "stream": stream, "max_tokens": 20_000, "ignore_eos": True}
    await asked(worker, CHAT, body, leaves_after=leaves_after)
    metrics = (await asked(worker, "/metrics", method="GET", key=None)).text
    assert metric(metrics, "vllm:num_requests_running") == 0
    assert [line.split()[-1] for line in metrics.splitlines() if 'finished_reason="abort"' in line] == ["1.0"]


async def test_what_was_read_and_generated_is_counted() -> None:
    worker = a_worker()
    usage = (await asked(worker, CHAT, {"messages": HELLO, "n": 2})).json["usage"]
    await asked(worker, f"{MESSAGES}/count_tokens", {"model": MODEL, "messages": HELLO})
    metrics = (await asked(worker, "/metrics", method="GET", key=None)).text
    assert metric(metrics, "vllm:prompt_tokens_total") == usage["prompt_tokens"]
    assert metric(metrics, "vllm:generation_tokens_total") == usage["completion_tokens"]
