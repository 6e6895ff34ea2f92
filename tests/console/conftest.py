"""The console in a real browser: Debian's Chromium, headless, driven by Playwright."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.api.conftest import offering
from tests.api.stage import ADMIN_KEY, RunningApi, Stage
from tests.console.chromium import ARGUMENTS, INSTALLED, PROGRAM

PATIENCE_MS = 30_000  # on a busy machine; whatever is awaited ends the wait
TELL_OF_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`))
"""

expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Window:
    """Everything that a page complains of is a fault, but for what a test `forgives` (a regular expression)."""

    browser: Browser
    faults: list[str] = field(default_factory=list)
    forgives: str = "(?!)"

    async def page(self, **options: Any) -> Page:
        """A browser's first page; nobody is signed in."""
        context = await self.browser.new_context(**options)
        await context.add_init_script(TELL_OF_VIOLATIONS)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: self.faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        return page

    async def open(self, api: RunningApi, path: str = "/", *, key: str = ADMIN_KEY, **options: Any) -> Page:
        """A page of the console, signed in."""
        page = await self.page(**options)
        signed_in = await page.context.request.post(f"{api.url}/sign-in", form={"key": key}, max_redirects=0)
        assert signed_in.status == 303, await signed_in.text()
        await page.goto(api.url + path)
        return page

    def check(self) -> None:
        assert [fault for fault in self.faults if not re.search(self.forgives, fault)] == []


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a browser that the tests of a process share; each has contexts of its own in it."""
    if INSTALLED is None and "CI" not in os.environ:
        pytest.skip("Chromium is not installed (apt-get install chromium-headless-shell)")
    options = {"executablePath": PROGRAM, "args": ARGUMENTS, "host": "127.0.0.1"}
    config = tmp_path_factory.mktemp("chromium") / "server.json"
    config.write_text(json.dumps(options))
    command = (sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium", "--config", str(config))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # the driver is a child of it, and ends the browser


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """One event loop for all that share a browser: Playwright's driver takes a third of a second to start."""
    for item in items:
        if pytest_asyncio.is_async_test(item) and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium: str) -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect(chromium)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(nats_url: str, database_url: str) -> AsyncGenerator[Stage]:
    async with offering(nats_url, database_url) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser) -> AsyncGenerator[Window]:
    window = Window(browser)
    yield window
    window.check()
    for context in browser.contexts:
        await context.close()
