"""What a browser says of the fleet's page: how soon it is there, what it weighs, when its bars move, its frames."""

import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from playwright.async_api import CDPSession, Page, expect

from tests.api.stage import until

NOTE_BARS = """() => {
  window.moved = {}; // for each instance what its bar showed, in order
  const frame = () => new Promise(requestAnimationFrame);
  const inView = (bar) => {
    const { top, bottom } = bar.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  };
  const note = async (bar, told) => {
    await frame();
    await frame(); // the one in which it was set has been painted by now, whenever that was
    told.painted = Date.now();
    await Promise.allSettled(bar.firstElementChild.getAnimations().map((slide) => slide.finished));
    told.rested = Date.now();
    told.inView = inView(bar);
  };
  window.noting = new MutationObserver((changes) => {
    for (const { target: bar } of changes) {
      const its = (window.moved[bar.closest(".row").dataset.id] ??= []);
      const percent = Number(bar.ariaValueNow);
      if (its.at(-1)?.percent !== percent) note(bar, its[its.push({ percent }) - 1]);
    }
  });
  window.noting.observe(document.getElementById("rows"), { subtree: true, attributeFilter: ["aria-valuenow"] });
}"""
NOTE_FRAMES = """() => {
  window.frames = [];
  let before = performance.now();
  const frame = (at) => {
    window.frames.push(at - before);
    before = at;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""


class Loaded(NamedTuple):
    """Seconds and kilobytes until the first rows are there, and until all are and the page is live."""

    first_s: float
    first_kb: float
    all_s: float
    all_kb: float


async def loaded(page: Page, devtools: CDPSession, url: str, count: int) -> Loaded:
    """Everything that has come whole counts; the stream of events never has."""
    await devtools.send("Network.enable")
    weights: list[float] = []

    def came(told: dict[str, Any]) -> None:
        weights.append(told["encodedDataLength"])

    devtools.on("Network.loadingFinished", came)
    began = time.perf_counter()
    await page.goto(url)
    await page.locator("#rows .row").first.wait_for()
    first_s, first_kb = time.perf_counter() - began, sum(weights) / 1000
    await expect(page.locator("#rows .row")).to_have_count(count, timeout=60_000)
    await expect(page.locator("#live")).to_have_text("live")
    return Loaded(first_s, first_kb, time.perf_counter() - began, sum(weights) / 1000)


async def moved(page: Page, recorded: Mapping[tuple[str, int], float]) -> tuple[list[float], list[float]]:
    """Milliseconds until each bar was painted on its way to a percentage, or beyond it; and until it lay still there.

    `recorded`: when an instance came to a percentage; all come to 100. Both in order. Exits when a bar was out of view:
    browsers paint nothing there.
    """

    async def all_did() -> bool:
        still = "(ids) => ids.every((id) => window.moved[id]?.at(-1).percent === 100 && window.moved[id].at(-1).rested)"
        return bool(await page.evaluate(still, [*{instance_id for instance_id, _ in recorded}]))

    await until(all_did, within_s=30)
    noted: dict[str, list[dict[str, Any]]] = await page.evaluate("window.noting.disconnect(), window.moved")
    if not all(shown["inView"] for its in noted.values() for shown in its):
        sys.exit("not all bars were in view")
    painted, rested = [], []
    for (instance_id, percent), at in recorded.items():
        shown = next(shown for shown in noted[instance_id] if shown["percent"] >= percent)
        painted.append(shown["painted"] - at)
        rested.append(shown["rested"] - at)
    return sorted(painted), sorted(rested)


async def scroll_through(page: Page, devtools: CDPSession, pixels_per_s: int) -> None:
    """With a wheel, from the top of the page to its end. Exits when it did not come there."""
    height = await page.evaluate("document.documentElement.scrollHeight")
    gesture = {"x": 600, "y": 400, "yDistance": -height, "speed": pixels_per_s, "gestureSourceType": "mouse"}
    await devtools.send("Input.synthesizeScrollGesture", gesture)
    if not await page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1"):
        sys.exit("the page did not scroll to its end")
