"""What the hub may answer, through the real client: the hub of these tests, and the simulated one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from httpx2 import TimeoutException
from pydantic import SecretStr

from services.api.catalogue.hub.client import (
    Disabled,
    Found,
    Gated,
    Hub,
    HubUnreachable,
    Lookup,
    NotOnHub,
    Private,
    RateLimited,
    Reply,
    TokenRefused,
    Unsupported,
)
from services.api.catalogue.hub.contents import MOST_BYTES, Contents, Reading, RevisionUnknown
from simulator.app import Simulator
from simulator.settings import SimulatorSettings
from tests.api.fakes import HUB_TOKEN, FakeHub, a_hub, served
from tests.api.stage import EMBEDDING_MODEL, MODEL, PATIENCE_S

GATED = "meta-llama/Llama-3.1-8B-Instruct"
PRIVATE = "acme-labs/support-7b"
MANY = 4_000  # in turns of eight, at 0.2 s each, they would take longer than a test is patient


@dataclass(frozen=True)
class Asking:
    url: str
    token: str

    async def about(self, model: str, *, token: str | None = None) -> Lookup:
        return await Hub(self.url, SecretStr(token) if token else None, PATIENCE_S).look_up(model)

    async def contents(self, model: str, revision: str | None = None, *, token: str | None = None) -> Reply:
        return await Hub(self.url, SecretStr(token) if token else None, PATIENCE_S).contents(model, revision)

    async def has(self, name: str, *, token: str | None = None) -> object:
        return await Hub(self.url, SecretStr(token) if token else None, PATIENCE_S).has_namespace(name)


@pytest.fixture(params=["fake", "simulated"])
async def asking(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Asking]:
    if request.param == "fake":
        async with a_hub() as fake:
            yield Asking(fake.url, HUB_TOKEN)
    else:
        settings = SimulatorSettings(data_dir=tmp_path)
        async with Simulator(settings) as simulator:
            yield Asking(simulator.hub_url, settings.hub_token.get_secret_value())


async def test_a_public_model_tells_its_task_its_commit_and_its_size(asking: Asking) -> None:
    assert await asking.about(MODEL) == Found(
        MODEL,
        "generate",
        gated=False,
        sha="7ae557604adf67be50417f59c2c2f167def9a775",
        pipeline="text-generation",
        parameters=494_032_768,
        weights_bytes=988_065_536,
    )


async def test_an_embedding_model_is_told_as_one(asking: Asking) -> None:
    found = await asking.about(EMBEDDING_MODEL)
    assert isinstance(found, Found)
    assert (found.task, found.pipeline, found.weights_bytes) == ("embed", "feature-extraction", 133_444_096)


async def test_packed_weights_count_with_the_bits_that_the_model_tells(asking: Asking) -> None:
    found = await asking.about("Qwen/Qwen2.5-7B-Instruct-AWQ")
    assert isinstance(found, Found)
    assert (found.parameters, found.weights_bytes) == (7_615_616_512, 5_443_300_352)


async def test_a_model_of_which_nothing_is_counted_is_found_without_figures(asking: Asking) -> None:
    found = await asking.about("facebook/opt-125m")
    assert isinstance(found, Found)
    assert (found.parameters, found.weights_bytes) == (None, None)


async def test_a_missing_a_private_and_a_gated_model_are_told_apart_as_far_as_the_token_sees(asking: Asking) -> None:
    assert await asking.about("nobody/nothing") == NotOnHub()
    assert await asking.about("nobody/nothing", token=asking.token) == NotOnHub()
    assert await asking.about(PRIVATE) == NotOnHub()
    assert await asking.about(PRIVATE, token=asking.token) == Private()
    assert await asking.about(GATED) == Gated(with_token=False)
    found = await asking.about(GATED, token=asking.token)
    assert isinstance(found, Found)
    assert found.gated


async def test_a_task_that_is_not_served_is_named(asking: Asking) -> None:
    assert await asking.about("openai/whisper-large-v3") == Unsupported("automatic-speech-recognition")


async def test_a_wrong_token_is_told_apart_from_a_missing_model(asking: Asking) -> None:
    assert await asking.about(MODEL, token="hf_wrong") == TokenRefused()


@pytest.fixture
async def fake() -> AsyncGenerator[FakeHub]:
    async with a_hub() as hub:
        yield hub


@pytest.mark.parametrize(
    ("status", "headers", "token", "expected"),
    [
        (500, {}, None, HubUnreachable("it answered 500")),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "hf_x", TokenRefused()),
        (403, {}, "hf_x", TokenRefused()),
        (403, {}, None, HubUnreachable("it answered 403")),
        (403, {"X-Error-Code": "GatedRepo"}, "hf_x", Gated(with_token=True)),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, None, Disabled()),
        (429, {"RateLimit": '"api";r=0;t=55'}, None, RateLimited(55)),
        (429, {"RateLimit": '"api";r=9;t=55', "Retry-After": "7"}, None, RateLimited(7)),
        (429, {}, None, RateLimited(None)),
        (200, {}, None, HubUnreachable("its answer makes no sense: JSONDecodeError")),
    ],
)
async def test_every_refusal_of_the_hub_s_has_a_meaning(
    fake: FakeHub, status: int, headers: dict[str, str], token: str | None, expected: Lookup
) -> None:
    fake.broken, fake.headers = status, headers
    assert await Hub(fake.url, SecretStr(token) if token else None, PATIENCE_S).look_up(MODEL) == expected


async def test_a_silent_hub_is_given_up_after_its_time(fake: FakeHub) -> None:
    fake.silent = True
    assert await Hub(fake.url, None, 0.2).look_up(MODEL) == HubUnreachable("it did not answer within 0.2 s")


async def test_a_hub_that_hangs_keeps_nobody_waiting_for_a_turn(fake: FakeHub) -> None:
    fake.silent = True
    hub = Hub(fake.url, None, 0.2)
    async with asyncio.timeout(PATIENCE_S):
        answers = await asyncio.gather(*(hub.look_up(f"acme/{number}") for number in range(MANY)))
    assert {type(answer) for answer in answers} == {HubUnreachable}
    hub.close()


async def test_a_hub_that_hangs_takes_no_thread_from_anybody_else(fake: FakeHub) -> None:
    fake.silent = True
    hub = Hub(fake.url, None, 10 * PATIENCE_S)
    asking = [asyncio.create_task(hub.look_up(f"acme/{number}")) for number in range(64)]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(0)
        await asyncio.to_thread(lambda: None)
    hub.close()
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_no_hub_at_all_is_told_with_its_reason() -> None:
    lookup = await Hub("http://127.0.0.1:9", None, PATIENCE_S).look_up(MODEL)
    assert isinstance(lookup, HubUnreachable)
    assert "ConnectError" in lookup.reason


async def test_owners_are_known_in_any_case_whether_organisations_or_people(asking: Asking) -> None:
    told = [await asking.has(name) for name in ("Qwen", "qwen", "julien-c", "JULIEN-C", "nobody", "qwen2")]
    assert told == [True, True, True, True, False, False]
    assert await asking.has("qwen", token=asking.token) is True
    assert await asking.has("qwen", token="hf_wrong") == TokenRefused()


async def test_the_contents_of_a_repository_are_those_of_one_commit(asking: Asking) -> None:
    found = await asking.contents(MODEL)
    assert isinstance(found, Contents)
    assert found == await asking.contents(MODEL, found.commit) == await asking.contents(MODEL, "main")
    assert (found.model, found.commit) == (MODEL, "7ae557604adf67be50417f59c2c2f167def9a775")
    assert found.files["model.safetensors"] == 988_065_536
    assert (found.config["architectures"], found.config["num_key_value_heads"]) == (["Qwen2ForCausalLM"], 2)
    assert (found.library, found.parameters, found.weights_bytes) == ("transformers", 494_032_768, 988_065_536)
    assert "license:apache-2.0" in found.tags


async def test_a_revision_that_is_not_there_is_told_apart_from_a_hub_that_fails(asking: Asking) -> None:
    assert await asking.contents(MODEL, "no/such-branch") == RevisionUnknown()
    assert await asking.contents(MODEL, token="hf_wrong") == TokenRefused()


async def test_the_contents_of_a_gated_model_need_its_licence(asking: Asking) -> None:
    assert isinstance(await asking.contents(GATED), HubUnreachable)
    assert isinstance(await asking.contents(GATED, token=asking.token), Contents)


@asynccontextmanager
async def answering(*pieces: bytes, sha: str | None = "a" * 40) -> AsyncGenerator[str]:
    """A hub whose every answer begins with the list of one file, and goes on with these pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "/api/" in request.path:
            return web.json_response({"id": MODEL, "sha": sha, "siblings": [{"rfilename": "config.json"}]})
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with served(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b"[" + b" " * 2**20] * (MOST_BYTES // 2**20 + 1), "its answer makes no sense: ValueError"),
        ([b"{"], "its answer makes no sense: JSONDecodeError"),
    ],
)
async def test_an_answer_that_is_too_long_or_no_json_is_no_answer(pieces: list[bytes], reason: str) -> None:
    async with answering(*pieces) as url:
        assert await Hub(url, None, PATIENCE_S).contents(MODEL, None) == HubUnreachable(reason)


@pytest.mark.parametrize("sha", [None, "main", "--help", "A" * 40, "a" * 39])
async def test_an_answer_without_a_commit_is_no_answer(sha: str | None) -> None:
    async with answering(b"{}", sha=sha) as url:
        contents = await Hub(url, None, PATIENCE_S).contents(MODEL, None)
    assert contents == HubUnreachable("its answer makes no sense: ValueError")


async def test_an_answer_that_trickles_in_for_longer_than_its_time_is_given_up() -> None:
    moments = iter(range(1_000))
    async with answering(b"{", b" ", b"}") as url:
        reading = Reading(url, False, 1.0, monotonic=lambda: float(next(moments)) * 2)
        with pytest.raises(TimeoutException):
            await asyncio.to_thread(reading.contents, MODEL, None)
