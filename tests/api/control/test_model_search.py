"""Models are searched in the catalogue and on the hub, with what would prevent a launch."""

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr

from services.api.catalogue.hub.client import HubUnreachable, RateLimited, TokenRefused
from services.api.catalogue.hub.search import HubSearch, Listed, Search
from shared.postgres.connection import connecting
from tests.api.catalogue.test_hub import GATED, PRIVATE
from tests.api.fakes import HUB_TOKEN, FakeHub, a_hub
from tests.api.stage import EMBEDDING_MODEL, MODEL, PATIENCE_S, RunningApi, Stage

WHISPER = "openai/whisper-large-v3"
TOKEN = SecretStr(HUB_TOKEN)


async def search(api: RunningApi, q: str | None = None, **more: Any) -> dict[str, Any]:
    answered = await api.client.get("/models/search", params={**({"q": q} if q is not None else {}), **more})
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


async def names(api: RunningApi, q: str | None = None, **more: Any) -> list[str]:
    return [item["model"] for item in (await search(api, q, **more))["items"]]


A_MODEL = "INSERT INTO models (id, model, task, gated) VALUES (gen_random_uuid(), $1, 'generate', false)"


async def catalogued(api: RunningApi, *models: str) -> None:
    for model in models:
        assert (await api.client.post("/models", json={"model": model})).status_code == 201


async def test_what_a_launch_would_refuse_by_its_files_is_told_in_the_catalogue_and_outside(stage: Stage) -> None:
    api = await stage.api()
    gguf = "ggml-org/gpt2-GGUF"
    for in_catalogue in (False, True):
        if in_catalogue:  # since a version that did not ask about its files
            async with connecting(stage.database_url, name="test") as database:
                await database.execute(A_MODEL, gguf)
            api = await stage.api()
        (told,) = [item for item in (await search(api, "gpt2"))["items"] if item["model"] == gguf]
        assert (told["in_catalogue"], told["usable"]) == (in_catalogue, False)
        assert told["why"].endswith("not served here. Launch openai-community/gpt2 instead.")


async def test_the_catalogue_comes_first_then_the_hub_by_downloads(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api, MODEL)
    found = await search(api, "QWEN instruct")
    assert found["hub"] == {"status": "answered", "detail": None}
    assert [(item["model"].rpartition("/")[2], item["in_catalogue"]) for item in found["items"]] == [
        ("Qwen2.5-0.5B-Instruct", True),
        ("Qwen2.5-7B-Instruct", False),
        ("Qwen2.5-14B-Instruct", False),
        ("Qwen2.5-32B-Instruct", False),
        ("Qwen2.5-7B-Instruct-AWQ", False),
        ("Qwen2.5-72B-Instruct", False),
    ]
    assert found["items"][0] == {
        "model": MODEL,
        "offering_of": None,
        "in_catalogue": True,
        "gated": False,
        "task": "generate",
        "parameters": 494_032_768,
        "weights_bytes": 988_065_536,
        "loaded_gb": 0.988065536,
        "downloads": 4_200_000,
        "usable": True,
        "why": None,
    }


async def test_a_model_of_the_hub_tells_its_size_and_what_its_weights_take_once_loaded(stage: Stage) -> None:
    api = await stage.api()
    found = {item["model"]: item for item in (await search(api, "gpt2"))["items"]}["openai-community/gpt2"]
    assert (found["task"], found["parameters"], found["weights_bytes"]) == ("generate", 137_022_720, 548_090_880)
    assert found["loaded_gb"] == pytest.approx(0.274, abs=0.001), "four bytes a number are loaded as two"
    assert (await search(api, "bge-small"))["items"][0]["task"] == "embed"
    assert (await search(api, "opt-125m"))["items"][0]["loaded_gb"] is None


async def test_what_is_meant_exactly_comes_first_however_seldom_it_is_downloaded(stage: Stage) -> None:
    api = await stage.api()
    assert (await names(api, "qwen/qwen2.5-7b-instruct-awq"))[0] == "Qwen/Qwen2.5-7B-Instruct-AWQ"
    assert (await names(api, "Qwen2.5-7B-Instruct"))[0] == "Qwen/Qwen2.5-7B-Instruct"


async def test_a_private_model_is_never_found_not_even_where_our_token_sees_it(stage: Stage) -> None:
    api = await stage.api(hf_token=TOKEN)
    assert PRIVATE not in await names(api, "support")


async def the_gated_one(api: RunningApi) -> Any:
    (gated,) = [item for item in (await search(api, "llama"))["items"] if item["model"] == GATED]
    return gated


async def test_a_gated_model_says_what_it_takes_with_a_token_and_without_one(stage: Stage) -> None:
    gated = await the_gated_one(await stage.api())
    assert (gated["gated"], gated["usable"]) == (True, False)
    assert "start the services with your HF_TOKEN" in gated["why"]
    with_token = await stage.api(hf_token=TOKEN)
    gated = await the_gated_one(with_token)
    assert gated["usable"]
    assert gated["why"] == "Its licence has to be accepted on the hub by the owner of HF_TOKEN."
    await catalogued(with_token, GATED)
    gated = await the_gated_one(with_token)
    assert (gated["in_catalogue"], gated["usable"], gated["why"]) == (True, True, None)
    gated = await the_gated_one(await stage.api())
    assert (gated["in_catalogue"], gated["usable"]) == (True, False)


async def test_a_member_reads_which_models_an_administrator_has_to_add_for_it(stage: Stage) -> None:
    api = await stage.api(hf_token=TOKEN)
    await api.organization("acme")
    await api.organization("openai-community")
    async with api.as_(await api.user_key("acme")) as member:
        for model in (GATED, "openai-community/gpt2"):
            asked = {"q": model}
            (found,) = (await member.get("/models/search", params=asked)).json()["items"]
            assert not found["usable"]
            assert f"coldstart models add {model}" in found["why"]
            assert (await search(api, model))["items"][0]["usable"]
            await catalogued(api, model)
            assert (await member.get("/models/search", params=asked)).json()["items"][0]["usable"]


async def test_what_is_not_served_comes_last_with_the_reason(stage: Stage) -> None:
    api = await stage.api()
    items = (await search(api, "open"))["items"]
    assert [item["model"] for item in items] == ["openai-community/gpt2", WHISPER]
    assert (items[-1]["task"], items[-1]["usable"]) == (None, False)
    assert items[-1]["why"].startswith("It is for automatic-speech-recognition; only text generation and embeddings")


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ({"silent": True}, "unavailable", "did not answer within 0.3 s"),
        ({"broken": 500}, "unavailable", "it answered 500"),
        ({"broken": 429, "headers": {"RateLimit": '"api";r=0;t=55'}}, "rate_limited", "try again in 55 s"),
        ({"broken": 401}, "token_refused", "refuses our HF_TOKEN"),
    ],
)
async def test_a_hub_that_does_not_answer_is_told_and_the_catalogue_is_searched_all_the_same(
    stage: Stage, fault: dict[str, Any], status: str, said: str
) -> None:
    seconds = 0.3 if "silent" in fault else PATIENCE_S
    api = await stage.api(hub_search_timeout_seconds=seconds, hf_token=TOKEN)
    await catalogued(api, MODEL)
    for name, value in fault.items():
        setattr(stage.hub, name, value)
    found = await search(api, "qwen")
    assert [item["model"] for item in found["items"]] == [MODEL]
    assert found["hub"]["status"] == status
    assert said in found["hub"]["detail"]


async def test_without_words_it_is_the_catalogue_and_the_hub_is_not_asked(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api, MODEL, EMBEDDING_MODEL)
    asked = stage.hub.asked
    found = await search(api)
    assert {item["model"] for item in found["items"]} == {MODEL, EMBEDDING_MODEL}
    assert found["hub"]["status"] == "not_asked"
    assert stage.hub.asked == asked


@pytest.mark.parametrize("query", [{"q": "x"}, {"q": "  x "}, {"q": "x" * 201}, {"limit": 0}, {"limit": 51}])
async def test_what_is_no_search_is_refused_with_the_parameter(stage: Stage, query: dict[str, Any]) -> None:
    api = await stage.api()
    refused = await api.client.get("/models/search", params=query)
    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == list(query)


async def test_the_limit_holds_for_the_catalogue_and_for_the_hub_each(stage: Stage) -> None:
    api = await stage.api()
    await catalogued(api, MODEL, "Qwen/Qwen2.5-7B-Instruct")
    assert len(await names(api, "qwen", limit=1)) == 2


async def test_offerings_are_found_by_their_own_organisation_and_by_administrators_who_name_it(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    await catalogued(api, MODEL)
    await api.offering("acme", "chat", MODEL)
    await api.offering("acme", "off", MODEL, active=False)
    assert "acme/chat" not in await names(api, "acme")
    (offering,) = (await search(api, "acme/", organization="acme"))["items"]
    assert (offering["model"], offering["offering_of"], offering["loaded_gb"]) == ("acme/chat", MODEL, 0.988065536)
    async with api.as_(await api.user_key("acme")) as member, api.as_(await api.user_key()) as nobody_s:
        found = (await member.get("/models/search", params={"q": "chat"})).json()["items"]
        assert [item["model"] for item in found] == ["acme/chat"]
        assert (await nobody_s.get("/models/search", params={"q": "chat"})).json()["items"] == []
        other = await nobody_s.get("/models/search", params={"q": "chat", "organization": "acme"})
        assert other.status_code == 404


@pytest.fixture
async def fake() -> Any:
    async with a_hub() as hub:
        yield hub


def searching(hub: FakeHub, **more: Any) -> HubSearch:
    token = SecretStr(more.pop("token")) if "token" in more else None
    return HubSearch(hub.url, token, **{"timeout_s": PATIENCE_S, "kept_s": 60.0, **more})


async def test_the_same_words_are_asked_once_and_a_hub_that_fails_is_left_alone_for_a_while(fake: FakeHub) -> None:
    now = 0.0
    hub = searching(fake, monotonic=lambda: now)
    answers = await asyncio.gather(*(hub.search(text) for text in ("bge", "BGE", "bge")))
    assert {type(answer) for answer in answers} == {tuple}
    assert fake.asked == 1
    fake.broken = 500
    assert await hub.search("bge") == answers[0]
    for now, asked in ((0.0, 2), (9.9, 2), (10.0, 3)):
        assert await hub.search(f"gpt {now}") == HubUnreachable("it answered 500")
        assert fake.asked == asked
    fake.broken, fake.headers = 429, {"RateLimit": '"api";r=0;t=55'}
    for now, asked in ((20.0, 4), (74.9, 4)):
        assert await hub.search(f"gpt {now}") == RateLimited(55)
        assert fake.asked == asked
    fake.broken, now = None, 75.0
    assert isinstance(await hub.search("gpt"), tuple)
    hub.close()


async def test_a_hub_that_hangs_is_waited_for_by_nobody_beyond_the_time_however_many_ask(fake: FakeHub) -> None:
    fake.silent = True
    hub = searching(fake, timeout_s=0.3)
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*(hub.search(f"model {number}") for number in range(32)))
    assert set(answers) == {HubUnreachable("it did not answer within 0.3 s")}
    assert fake.asked <= 4, "as many as are asked at once"
    hub.close()


@pytest.mark.parametrize(
    ("status", "headers", "token", "expected"),
    [
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "hf_x", TokenRefused()),
        (403, {}, "hf_x", TokenRefused()),
        (429, {"RateLimit": '"api";r=0;t=55'}, None, RateLimited(55)),
        (400, {}, None, HubUnreachable("it answered 400")),
        (200, {}, None, HubUnreachable("its answer makes no sense: JSONDecodeError")),
    ],
)
async def test_every_refusal_of_a_search_has_a_meaning(
    fake: FakeHub, status: int, headers: dict[str, str], token: str | None, expected: Search
) -> None:
    fake.broken, fake.headers = status, headers
    hub = searching(fake, **({"token": token} if token else {}))
    assert await hub.search("qwen") == expected
    hub.close()


async def test_no_hub_at_all_is_told_with_its_reason() -> None:
    hub = HubSearch("http://127.0.0.1:9", None, timeout_s=PATIENCE_S, kept_s=60.0)
    answer = await hub.search("qwen")
    assert isinstance(answer, HubUnreachable)
    assert "ConnectError" in answer.reason
    hub.close()


async def test_what_the_hub_lists_is_told_as_it_is(fake: FakeHub) -> None:
    hub = searching(fake, token=HUB_TOKEN)
    assert await hub.search("whisper") == (
        Listed(
            WHISPER,
            None,
            gated=False,
            pipeline="automatic-speech-recognition",
            parameters=1_543_490_560,
            weights_bytes=3_086_981_120,
            downloads=5_000_000,
            config={"architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper"},
            tags=("transformers", "safetensors", "whisper", "automatic-speech-recognition", "license:apache-2.0"),
            library="transformers",
        ),
    )
    hub.close()
