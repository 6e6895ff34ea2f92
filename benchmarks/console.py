"""How far bars in a browser are behind their events, with fifty launches at once: `python -m benchmarks.console`.

Also how soon the first page is there in a fleet of two thousand, what it weighs, and how smooth it stays. Exits with
status 1 when a goal is missed. Needs Debian's chromium.
"""

import argparse
import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.async_api import Page, async_playwright, expect

from coldstart.embedded import servers
from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.lifecycle.instance import Instance
from shared.logs import configure_logs
from tests.api.fakes import a_hub
from tests.api.stage import ADMIN_KEY, RunningApi, Stage, a_stage, until
from tests.lifecycle import facts as f

FIRST_S, FIRST_KB, BEHIND_MS = 1.0, 150.0, 200.0
AT_ONCE = 20
PAUSE_S = 0.4
REST = (
    *(f.ip_assigned(), f.ports_opened(), f.ssh_reachable(), f.ssh_install_started(), f.ssh_install_completed()),
    *(f.worker_reachable(), f.model_loaded(), f.warmup_completed(), f.health_passed(), f.instance_ready()),
)
NOTE_BARS = """() => {
  window.moved = {};
  window.frames = [];
  let before = performance.now();
  const frame = (at) => {
    window.frames.push(at - before);
    before = at;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      window.moved[`${target.closest(".row").dataset.id} ${target.getAttribute("aria-valuenow")}`] ??= Date.now();
    }
  }).observe(document.getElementById("rows"), { subtree: true, attributes: true, attributeFilter: ["aria-valuenow"] });
}"""


async def a_fleet(stage: Stage, api: RunningApi, count: int) -> list[Instance]:
    """As many, powered on, in the read model."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def powered_on() -> Instance:
        async with turn:
            now = datetime.now(UTC)
            return await stage.happened(
                f.instance_requested(occurred_at=now), f.instance_created(), f.instance_started()
            )

    made = await asyncio.gather(*(powered_on() for _ in range(count)))
    last = await stage.last_sequence()

    async def projected() -> bool:
        seen = (await api.client.get("/instances", params={"limit": 1})).headers["last-event-id"]
        return int(seen.partition("-")[2]) >= last

    await until(projected, within_s=60)
    return made


async def loaded(page: Page, url: str, count: int) -> tuple[float, float, float]:
    """Seconds to the first rows, and the kilobytes until then; seconds until all are there."""
    devtools: Any = await page.context.new_cdp_session(page)
    await devtools.send("Network.enable")
    bytes_: list[float] = []
    devtools.on("Network.loadingFinished", lambda told: bytes_.append(told["encodedDataLength"]))
    began = time.perf_counter()
    await page.goto(url)
    await page.locator("#rows > .row").first.wait_for()
    first_s, weight = time.perf_counter() - began, sum(bytes_)
    await expect(page.locator("#rows > .row")).to_have_count(count, timeout=60_000)
    return first_s, weight / 1000, time.perf_counter() - began


async def lags(stage: Stage, page: Page, launching: list[Instance]) -> list[float]:
    """Milliseconds from before an event is recorded until its bar has moved, in order."""
    recorded: dict[str, float] = {}

    async def launch(instance: Instance) -> None:
        for fact in REST:
            at = time.time() * 1000
            instance = await stage.happened(fact, instance_id=instance.id)
            recorded[f"{instance.id} {instance.progress_percent}"] = at
            await asyncio.sleep(PAUSE_S)

    await page.evaluate(NOTE_BARS)
    await asyncio.gather(*(launch(instance) for instance in launching))

    async def all_moved() -> bool:
        return int(await page.evaluate("Object.keys(window.moved).length")) >= len(recorded)

    await until(all_moved)
    moved: dict[str, float] = await page.evaluate("window.moved")
    return sorted(moved[bar] - at for bar, at in recorded.items())


async def main(fleet: int, launches: int) -> None:
    configure_logs("console", "error", "console")
    with TemporaryDirectory() as name:
        async with servers(Path(name), None, None) as running, a_hub() as hub, async_playwright() as playwright:
            connection = await connect(running.nats_url, "benchmark")
            await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
            async with a_stage(running.nats_url, running.database_url, connection, hub) as stage:
                await stage.projector()
                api = await stage.api()
                made = await a_fleet(stage, api, fleet)
                browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                page = await browser.new_page()
                await page.context.request.post(f"{api.url}/sign-in", form={"key": ADMIN_KEY})
                first_s, kilobytes, all_s = await loaded(page, api.url, fleet)
                behind = await lags(stage, page, made[:launches])
                frames: list[float] = sorted(await page.evaluate("window.frames"))
                await browser.close()
            await connection.close()
    p95 = behind[int(len(behind) * 0.95)]
    print(f"first rows of {fleet}      {first_s:6.2f} s   (goal: under {FIRST_S:.0f} s), all {all_s:.2f} s")
    print(f"until then over the wire  {kilobytes:6.0f} kB  (goal: under {FIRST_KB:.0f} kB)")
    print(f"event → bar, median       {behind[len(behind) // 2]:6.0f} ms")
    print(f"event → bar, p95          {p95:6.0f} ms  (goal: under {BEHIND_MS:.0f} ms)")
    print(f"between frames, median    {frames[len(frames) // 2]:6.0f} ms, p99 {frames[int(len(frames) * 0.99)]:.0f} ms")
    if first_s >= FIRST_S or kilobytes >= FIRST_KB or p95 >= BEHIND_MS:
        sys.exit("a goal is missed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fleet", type=int, default=2_000)
    parser.add_argument("--launches", type=int, default=50)
    given = parser.parse_args()
    asyncio.run(main(given.fleet, given.launches))
