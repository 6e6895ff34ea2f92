"""A chat in the browser: what streams, how fast, what stops it, and what is shown of a model that is not ready."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from playwright.async_api import Page, Route, expect

from shared.lifecycle.fact import Action
from tests.api.fakes import FakeWorker
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

PATH = "/console/playground"
LOOKED_AT = 50


def chunk(content: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
    return f"data: {json.dumps({'id': 'x', 'choices': [choice], **more})}\n\n".encode()


class Speaker:
    """Answers word by word, each when it is told to; `asked` are the conversations that it was given."""

    def __init__(self, worker: FakeWorker) -> None:
        self.asked: list[list[dict[str, str]]] = []
        self._words: asyncio.Queue[bytes | None] = asyncio.Queue()
        worker.answer = self._answer

    def say(self, *words: str) -> None:
        for word in words:
            self.send(chunk(word))

    def send(self, raw: bytes) -> None:
        self._words.put_nowait(raw)

    def end(self, tokens: int) -> None:
        usage = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": 3 + tokens}
        self.send(f"data: {json.dumps({'id': 'x', 'choices': [], 'usage': usage})}\n\n".encode())
        self.send(b"data: [DONE]\n\n")
        self.hang_up()

    def hang_up(self) -> None:
        self._words.put_nowait(None)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((await request.json())["messages"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while (word := await self._words.get()) is not None:
            await response.write(word)
        return response


@asynccontextmanager
async def a_chat(stage: Stage, window: Window, **options: Any) -> AsyncGenerator[tuple[Page, FakeWorker]]:
    api, worker = await with_a_ready_model(stage)
    page = await window.open(api, PATH, **options)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    yield page, worker


async def catalogued(api: RunningApi) -> None:
    assert (await api.client.post("/models", json={"model": MODEL})).status_code == 201


async def with_a_ready_model(stage: Stage) -> tuple[RunningApi, FakeWorker]:
    worker = await stage.worker()
    await stage.ready(worker.address)
    api = await stage.api()
    await catalogued(api)
    await api.routes()
    return api, worker


async def said(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.keyboard.press("Enter")


async def test_an_answer_streams_with_the_time_to_its_first_token_and_its_rate(stage: Stage, window: Window) -> None:
    async with a_chat(stage, window) as (page, worker):
        speaker = Speaker(worker)
        await said(page, "What is the capital of France?")
        answer = page.locator('#talk [data-role="assistant"]')
        for words, whole in (("Pa", "Pa"), ("ris, où", "Paris, où"), (" 🗼\n<b>", "Paris, où 🗼\n<b>")):
            speaker.say(words)
            await expect(answer.locator("p")).to_have_text(whole)
        speaker.end(tokens=9)
        await expect(answer.locator("[data-of=figures]")).to_contain_text("first token after")
        await expect(answer.locator("[data-of=figures]")).to_contain_text("tokens/s")
        await expect(answer.locator("[data-of=figures]")).to_contain_text("9 tokens")
        await expect(page.get_by_role("status")).to_contain_text("has answered")
        await expect(page.get_by_label("Message")).to_be_focused()
        await said(page, "And of Italy?")
        speaker.say("Rome")
        speaker.end(tokens=1)
        await expect(answer).to_have_count(2)
        await expect(answer.last.locator("[data-of=figures]")).to_contain_text("1 token")
        assert [one["role"] for one in speaker.asked[1]] == ["user", "assistant", "user"]
        await page.get_by_role("button", name="New conversation").click()
        await expect(page.locator("#talk > li")).to_have_count(0)
        await said(page, "Anew")
        speaker.end(tokens=0)
        await expect(page.get_by_label("Message")).to_have_value("Anew")  # it was answered with nothing
        assert len(speaker.asked[2]) == 1


async def test_what_is_thought_before_an_answer_counts_and_is_not_shown(stage: Stage, window: Window) -> None:
    async with a_chat(stage, window) as (page, worker):
        speaker = Speaker(worker)
        await said(page, "What is 6 × 7?")
        for name in ("reasoning_content", "reasoning"):
            thought = {"choices": [{"index": 0, "delta": {name: "Let me see."}, "finish_reason": None}]}
            speaker.send(f"data: {json.dumps(thought)}\n\n".encode())
        speaker.say("42")
        speaker.send(b"data: [DONE]\n\n")
        speaker.hang_up()
        answer = page.locator('#talk [data-role="assistant"]')
        await expect(answer.locator("p")).to_have_text("42")
        await expect(answer.locator("[data-of=figures]")).to_contain_text("3 tokens")


async def test_a_stream_gives_the_same_messages_however_it_is_cut(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api(), PATH)
    address = await page.locator('link[href$="/sse.js"]').get_attribute("href")
    found = await page.evaluate(
        """async (address) => {
          const { messages } = await import(address);
          const text = ": a sign of life\\r\\n\\r\\ndata: où\\r\\n"
            + "data:🗼\\r\\nid: 7\\r\\n\\r\\ndata: last\\n\\ndata: never ended\\n";
          const bytes = new TextEncoder().encode(text);
          const found = new Set();
          for (let size = 1; size <= bytes.length; size += 1) {
            const cut = new ReadableStream({ start(stream) {
              for (let at = 0; at < bytes.length; at += size) stream.enqueue(bytes.slice(at, at + size));
              stream.close();
            } });
            const all = [];
            for await (const data of messages(cut)) all.push(data);
            found.add(JSON.stringify(all));
          }
          return [...found].map((one) => JSON.parse(one));
        }""",
        address,
    )
    assert found == [["où\n🗼", "last"]]


async def test_an_answer_is_stopped_at_the_worker_too(stage: Stage, window: Window) -> None:
    async with a_chat(stage, window) as (page, worker):
        speaker = Speaker(worker)
        await said(page, "Tell me a long story")
        speaker.say("Once")
        await expect(page.locator("#talk")).to_contain_text("Once")
        await page.get_by_role("button", name="Stop").press("Enter")
        await expect(page.locator("#talk")).to_contain_text("stopped")
        await expect(page.get_by_role("button", name="Send")).to_be_enabled()
        async with asyncio.timeout(120):
            await worker.left.wait()


async def test_a_long_answer_is_followed_but_takes_nobody_from_what_they_do(stage: Stage, window: Window) -> None:
    async with a_chat(stage, window, viewport={"width": 800, "height": 600}) as (page, worker):
        speaker = Speaker(worker)
        await said(page, "Count to a hundred")
        answer = page.locator('#talk [data-role="assistant"] p')
        for number in range(1, 81):
            speaker.say(f"number {number}\n")
        await expect(answer).to_contain_text("number 80")
        assert await page.evaluate("scrollY") > 600
        await page.evaluate("scrollTo(0, 0)")
        await page.get_by_role("button", name="Sign out").focus()
        speaker.say("number 81\n")
        await expect(answer).to_contain_text("number 81")
        assert await page.evaluate("scrollY") == 0
        speaker.end(tokens=81)
        await expect(page.get_by_role("button", name="Send")).to_be_enabled()
        await expect(page.get_by_role("button", name="Sign out")).to_be_focused()


async def test_a_page_that_got_no_answer_asks_again(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED|status of 503"
    api = await stage.api()
    await catalogued(api)
    page = await window.open(api, "/sign-in")
    await page.route("**/v1/models", lambda route: route.abort(), times=1)
    await page.goto(api.url + PATH)
    await expect(page.get_by_role("alert")).to_contain_text("The API does not answer")
    await expect(page.get_by_role("combobox", name="Model")).to_have_value(MODEL)
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_what_goes_wrong_on_the_way_is_said_in_words(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_INCOMPLETE_CHUNKED_ENCODING|status of 400"
    async with a_chat(stage, window) as (page, worker):
        speaker = Speaker(worker)
        await said(page, "one")
        speaker.say("Half an")
        await expect(page.locator("#talk")).to_contain_text("Half an")
        speaker.hang_up()
        await expect(page.get_by_role("alert")).not_to_be_empty()
        await expect(page.locator("#talk")).to_contain_text("broken off")

        async def too_long(_: web.Request) -> web.Response:
            error = {"message": "The model's context is 2048 tokens.", "type": "invalid_request_error", "code": None}
            return web.json_response({"error": error}, status=400)

        worker.answer = too_long
        await said(page, "two")
        await expect(page.get_by_role("alert")).to_contain_text("The model's context is 2048 tokens.")
        await expect(page.get_by_label("Message")).to_have_value("two")
        await expect(page.locator("#talk > li")).to_have_count(2)


async def test_what_is_no_answer_of_a_model_is_said_in_words_too(stage: Stage, window: Window) -> None:
    async with a_chat(stage, window) as (page, worker):
        speaker = Speaker(worker)
        for nonsense in (b"no JSON", b"null", b"{}", b'{"choices":7}'):
            await said(page, "one")
            speaker.send(b"data: " + nonsense + b"\n\n")
            await expect(page.get_by_role("alert")).to_contain_text("is not an answer of a model")
            await expect(page.get_by_label("Message")).to_have_value("one")


async def test_a_model_that_is_not_ready_shows_how_far_it_is_until_it_can_be_used(stage: Stage, window: Window) -> None:
    window.forgives = "status of 503"
    worker = await stage.worker()
    api = await stage.api()
    await catalogued(api)
    page = await window.open(api, PATH)
    await expect(page.locator("#why")).to_contain_text("No instance serves")
    await expect(page.get_by_role("link", name="Launch one")).to_be_visible()
    history = recent(h.a_ready_instance(model=MODEL))
    at = f.ip_assigned(ip_address=worker.address)
    history = tuple(at if fact.type() == at.type() else fact for fact in history)
    installed = next(number for number, fact in enumerate(history, 1) if fact.type() == "SshInstallCompleted")
    later = datetime.now(UTC) + timedelta(hours=1)
    held_up = f.action_delayed(action=Action.INSTALL, reason="waits for cloud-init", next_try_at=later)
    instance = await stage.happened(*history[: installed - 1], held_up)
    await expect(page.locator("#eta")).to_contain_text("next try at")
    await expect(page.locator("#step")).to_contain_text("waits for cloud-init")
    await stage.happened(history[installed - 1], instance_id=instance.id)
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "60")
    await expect(page.locator("#status")).to_have_text("starting")
    await expect(page.locator("#eta")).to_contain_text("nine times in ten by")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    assert await complaints(page) == []
    for fact in history[installed:]:
        await stage.happened(fact, instance_id=instance.id)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(page.locator("#unready")).to_be_hidden()
    await expect(page.get_by_role("status")).to_contain_text("is ready")
    await said(page, "hello")
    await expect(page.locator("#talk")).to_contain_text("Paris.")
    await stage.happened(f.health_lost(), instance_id=instance.id)
    await said(page, "still there?")
    await expect(page.locator("#unready")).to_contain_text("unavailable")
    await expect(page.get_by_label("Message")).to_have_value("still there?")


async def test_any_key_may_chat_with_what_it_may_use(stage: Stage, window: Window) -> None:
    window.forgives = "status of (403|503)"
    api, _ = await with_a_ready_model(stage)
    page = await window.open(api, PATH, key=await api.user_key())
    await said(page, "hello")
    await expect(page.locator("#talk")).to_contain_text("Paris.")
    page = await window.open(api, PATH, key=await api.user_key(allowed_models=["acme/chat"]))
    await expect(page.get_by_text("no model yet that this key may use")).to_be_visible()


async def test_a_model_that_is_taken_from_a_key_while_it_chats_is_refused_in_words(
    stage: Stage, window: Window
) -> None:
    window.forgives = "status of (403|503)"
    api, _ = await with_a_ready_model(stage)
    key = (await api.client.post("/api-keys", json={"name": "somebody", "role": "user"})).json()
    page = await window.open(api, PATH, key=key["key"])
    await said(page, "hello")
    await expect(page.locator("#talk")).to_contain_text("Paris.")
    changed = await api.client.patch(f"/api-keys/{key['id']}", json={"allowed_models": ["acme/chat"]})
    assert changed.status_code == 200, changed.text
    await said(page, "hello")
    await expect(page.get_by_role("alert")).to_contain_text("This key may not use")


async def test_what_is_sent_before_the_model_is_known_to_be_ready_is_said_once_it_is(
    stage: Stage, window: Window
) -> None:
    api, _ = await with_a_ready_model(stage)
    page = await window.open(api, "/sign-in")
    sent = asyncio.Event()
    looks = 0

    async def held(route: Route) -> None:
        nonlocal looks
        looks += 1
        if looks > 1:  # the first makes the list
            await sent.wait()
        await route.continue_()

    await page.route("**/models/resolve?*", held)
    await page.goto(api.url + PATH)
    await said(page, "hello")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    sent.set()
    await expect(page.locator("#talk")).to_contain_text("Paris.")
    await expect(page.locator('#talk [data-role="user"]')).to_have_count(1)


async def test_what_makes_embeddings_is_told_apart_and_not_asked_to_chat(stage: Stage, window: Window) -> None:
    worker = await stage.worker()
    await stage.ready(worker.address)
    api = await stage.api()
    await catalogued(api)
    assert (await api.client.post("/models", json={"model": EMBEDDING_MODEL})).status_code == 201
    await api.routes()
    page = await window.open(api, PATH)
    await expect(page.get_by_role("combobox", name="Model")).to_have_value(MODEL)
    apart = page.locator('#model optgroup[label="Embeddings only"] option')
    await expect(apart).to_have_text(EMBEDDING_MODEL)
    await page.get_by_role("combobox", name="Model").select_option(EMBEDDING_MODEL)
    await expect(page.get_by_role("alert")).to_contain_text("POST /v1/embeddings")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    assert await complaints(page) == []
    await page.get_by_role("combobox", name="Model").select_option(MODEL)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(page.get_by_role("alert")).to_be_hidden()


async def test_a_model_that_was_not_looked_at_is_not_said_to_be_unready(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api, _ = await with_a_ready_model(stage)
    names = [*(f"some/model-{number}" for number in range(LOOKED_AT)), MODEL]

    async def many(route: Route) -> None:
        await route.fulfill(json={"data": [{"id": name} for name in names]})

    page = await window.open(api, "/sign-in")
    await page.route("**/v1/models", many)
    await page.goto(api.url + PATH)
    await expect(page.locator('#model optgroup[label="Not ready"] option')).to_have_count(LOOKED_AT)
    unlooked = page.locator('#model optgroup[label="Not checked yet"] option')
    await expect(unlooked).to_have_text(MODEL)
    await page.get_by_role("combobox", name="Model").select_option(MODEL)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await expect(page.locator('#model optgroup[label="Ready"] option')).to_have_text(MODEL)
    await expect(unlooked).to_have_count(0)


async def test_where_there_is_no_model_that_is_said(stage: Stage, window: Window) -> None:
    page = await window.open(await stage.api(), PATH)
    await expect(page.get_by_text("There is no model yet")).to_be_visible()
    await expect(page.get_by_label("Message")).to_be_hidden()


async def test_nothing_keeps_anybody_from_chatting(stage: Stage, window: Window) -> None:
    window.forgives = "status of 503"
    viewport = {"width": 360, "height": 740}
    async with a_chat(stage, window, viewport=viewport) as (page, _):
        await said(page, "hello")
        await expect(page.locator("#talk")).to_contain_text("tokens")
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
