"""Which answers of the hub are cached, for how long, and who shares one."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.api.catalogue.hub import client as h
from services.api.catalogue.hub.cache import HubCache
from services.api.catalogue.hub.contents import Contents

FOUND = h.Found("a/b", "generate", gated=False)


@dataclass
class AHub:
    """`asked` holds every question. Each answer waits until the test releases it."""

    answer: h.Lookup = FOUND
    asked: list[str] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def look_up(self, model: str) -> h.Lookup:
        self.asked.append(model)
        await self.let_go.wait()
        return self.answer

    async def contents(self, model: str, revision: str | None) -> h.Reply:
        self.asked.append(f"{model} at {revision}")
        return Contents(model, "a-commit", files={})


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hub() -> AHub:
    hub = AHub()
    hub.let_go.set()
    return hub


async def test_an_answer_is_kept_for_its_time_and_then_asked_for_again(hub: AHub) -> None:
    clock = Clock()
    cache = HubCache(hub, 600.0, monotonic=clock)
    for at, asked in ((0.0, 1), (599.0, 1), (600.0, 2), (1_199.0, 2)):
        clock.now = 1_000.0 + at
        assert await cache.look_up("a/b") == FOUND
        assert len(hub.asked) == asked


@pytest.mark.parametrize(
    "refusal", [h.NotOnHub(), h.Private(), h.Gated(with_token=True), h.Disabled(), h.Unsupported("x"), h.TokenRefused()]
)
async def test_a_refusal_is_kept_for_a_tenth_of_that(hub: AHub, refusal: h.Lookup) -> None:
    clock = Clock()
    cache, hub.answer = HubCache(hub, 600.0, monotonic=clock), refusal
    for at, asked in ((0.0, 1), (59.0, 1), (60.0, 2)):
        clock.now = 1_000.0 + at
        assert await cache.look_up("a/b") == refusal
        assert len(hub.asked) == asked


@pytest.mark.parametrize("failure", [h.HubUnreachable("down"), h.RateLimited(5)])
async def test_that_there_was_no_answer_is_never_kept(hub: AHub, failure: h.Lookup) -> None:
    cache, hub.answer = HubCache(hub, 600.0), failure
    assert await cache.look_up("a/b") == failure
    hub.answer = FOUND
    assert await cache.look_up("a/b") == FOUND


async def test_those_who_ask_at_once_share_one_question_and_its_failure(hub: AHub) -> None:
    hub.let_go.clear()
    cache, hub.answer = HubCache(hub, 600.0), h.HubUnreachable("down")
    asking = [asyncio.create_task(cache.look_up(model)) for model in ("a/b", "a/b", "c/d", "a/b")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hub.let_go.set()
    assert set(await asyncio.gather(*asking)) == {hub.answer}
    assert hub.asked == ["a/b", "c/d"]


async def test_one_who_gives_up_takes_the_answer_from_nobody(hub: AHub) -> None:
    hub.let_go.clear()
    cache = HubCache(hub, 600.0)
    first, second = (asyncio.create_task(cache.look_up("a/b")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    hub.let_go.set()
    assert await second == FOUND
    assert hub.asked == ["a/b"]


async def test_an_answer_that_nobody_waits_for_any_longer_is_kept(hub: AHub) -> None:
    hub.let_go.clear()
    cache = HubCache(hub, 600.0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cache.look_up("a/b"), 0.01)
    hub.let_go.set()
    assert await cache.look_up("a/b") == FOUND
    assert await cache.look_up("a/b") == FOUND
    assert hub.asked == ["a/b"]


async def test_only_so_many_answers_are_kept_and_the_oldest_goes(hub: AHub) -> None:
    cache = HubCache(hub, 600.0)
    for number in range(1_001):
        await cache.look_up(f"a/{number}")
    await cache.look_up("a/1")
    assert len(hub.asked) == 1_001
    await cache.look_up("a/0")
    assert len(hub.asked) == 1_002


async def test_once_closed_nobody_waits_any_longer(hub: AHub) -> None:
    hub.let_go.clear()
    cache = HubCache(hub, 600.0)
    waiting = asyncio.create_task(cache.look_up("a/b"))
    await asyncio.sleep(0)
    cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_contents_of_each_revision_are_kept_apart_from_each_other(hub: AHub) -> None:
    cache = HubCache(hub, 600.0)
    for revision in (None, "v1", None, "v1"):
        assert isinstance(await cache.contents("a/b", revision), Contents)
    assert hub.asked == ["a/b at None", "a/b at v1"]
