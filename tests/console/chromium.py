"""Debian's Chromium, wherever it is installed: the one browser of tests, pictures and benchmarks.

The one without windows of its own, if it is there: it needs three fifths of the processor time.
"""

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

INSTALLED: Final = shutil.which("chromium-headless-shell") or shutil.which("chromium")
PROGRAM: Final = INSTALLED or "chromium"
ARGUMENTS: Final = (
    "--no-sandbox",
    "--renderer-process-limit=1",  # each page would start one of its own
)


@asynccontextmanager
async def a_browser() -> AsyncGenerator[Browser]:
    """One that nobody shares, until the block ends. Raises playwright's Error where Chromium is not installed."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=PROGRAM, args=ARGUMENTS)
        yield browser
        await browser.close()
