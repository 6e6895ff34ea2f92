"""What the pages say of how a model is called is done as they show it: by curl, and by OpenAI's clients."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.api.deployed import put
from tests.api.fakes import FakeWorker
from tests.api.router.test_inference import catalogued
from tests.api.stage import EMBEDDING_MODEL, MODEL, PATIENCE_S, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

MODULES: Final = Path(__file__).parents[1] / "node" / "node_modules"
SUFFIXES: Final[Mapping[str, str]] = {"curl": "sh", "Python": "py", "JavaScript": "mjs"}
PROGRAMS: Final[Mapping[str, str]] = {"curl": "sh", "Python": sys.executable, "JavaScript": "node"}
LANGUAGES: Final = (
    *("curl", "Python"),
    pytest.param(
        "JavaScript",
        marks=pytest.mark.skipif(
            "CI" not in os.environ and not (shutil.which("node") and MODULES.is_dir()),
            reason="Node.js and npm are not installed (apt-get install nodejs npm, then make .venv/.ready-node)",
        ),
    ),
)


async def copied(page: Page, language: str) -> str:
    """What the button copies, which is what is shown."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_label(language, exact=True).check()
    await page.get_by_role("button", name="Copy the code").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    text = str(await page.evaluate("navigator.clipboard.readText()"))
    await expect(page.locator("#code")).to_have_text(text)
    return text


async def run(folder: Path, language: str, text: str, key: str) -> str:
    """As one who copied it into a file, with the key in the variable."""
    path = folder / f"copied.{SUFFIXES[language]}"
    path.write_text(text)
    (folder / "node_modules").symlink_to(MODULES)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLDSTART_API_KEY": key}
    process = await asyncio.create_subprocess_exec(
        *(PROGRAMS[language], str(path)), cwd=folder, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def said(language: str, out: str, *path: str | int) -> Any:
    """What the answer has at this path: curl prints all of it, the others print that alone."""
    if language != "curl":
        return out.strip()
    found = json.loads(out)
    for part in path:
        found = found[part]
    return str(found)


async def serving(stage: Stage, model: str = MODEL, **specification: Any) -> tuple[RunningApi, FakeWorker, str]:
    """An api, a ready worker that it routes to, and its instance's id."""
    api, worker = await stage.api(), await stage.worker()
    await catalogued(api, model)
    instance = await stage.ready(worker.address, model=model, **specification)
    return api, worker, str(instance.id)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_ready_instance_answers_what_its_page_shows(
    stage: Stage, window: Window, tmp_path: Path, language: str
) -> None:
    api, worker, instance_id = await serving(stage)
    await api.routes()
    page = await window.open(api, f"/console/instances/{instance_id}")
    text = await copied(page, language)
    key = await api.user_key()
    assert key not in await page.content()
    out = await run(tmp_path, language, text, key)
    assert said(language, out, "choices", 0, "message", "content") == "Paris."
    asked = json.loads(worker.seen[-1].body)
    assert (asked["model"], asked["messages"]) == (MODEL, [{"role": "user", "content": "Say hello."}])


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_deployment_of_embeddings_answers_what_its_page_shows(
    stage: Stage, window: Window, tmp_path: Path, language: str
) -> None:
    await stage.projector()
    api, worker, _ = await serving(stage, EMBEDDING_MODEL, task="embed")
    await api.routes(EMBEDDING_MODEL, "/v1/embeddings", input="hello")
    await put(api, "search", {"model": EMBEDDING_MODEL})
    page = await window.open(api, "/console/deployments/search")
    text = await copied(page, language)
    out = await run(tmp_path, language, text, await api.user_key())
    assert json.loads(said(language, out, "data", 0, "embedding").replace("'", '"')) == [0.25, -0.5]
    asked = json.loads(worker.seen[-1].body)
    assert (asked["model"], asked["input"]) == (EMBEDDING_MODEL, "Hello.")


async def test_the_endpoint_is_copied_and_the_chosen_language_is_reached_by_keyboard(
    stage: Stage, window: Window
) -> None:
    api, _, instance_id = await serving(stage)
    page = await window.open(api, f"/console/instances/{instance_id}")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await expect(page.locator("#endpoint")).to_have_text(f"{api.url}/v1")
    await page.get_by_role("button", name="Copy the endpoint").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == f"{api.url}/v1"
    await page.get_by_label("curl", exact=True).focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#code")).to_contain_text("from openai import OpenAI")
    await expect(page.locator("#needs")).to_have_text("pip install openai")


async def test_only_what_is_ready_and_serves_is_called(stage: Stage, window: Window) -> None:
    api = await stage.api()
    request, *rest = recent(h.a_ready_instance())
    instance = await stage.happened(request, *rest[:-1])
    page = await window.open(api, f"/console/instances/{instance.id}")
    await expect(page.locator("#status")).to_have_text("starting")
    await expect(page.locator("#use")).to_be_hidden()
    await stage.happened(rest[-1], instance_id=instance.id)
    await expect(page.locator("#use")).to_be_visible()
    await page.get_by_label("As it was").press("Home")
    await expect(page.locator("#use")).to_be_hidden()
    await page.get_by_role("button", name="Back to now").click()
    await expect(page.locator("#use")).to_be_visible()
    await stage.happened(f.termination_requested(), instance_id=instance.id)
    await expect(page.locator("#use")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_keeps_anybody_from_using_it(stage: Stage, window: Window, width: int) -> None:
    size: Any = {"width": width, "height": 740}
    await stage.projector()
    api, _, instance_id = await serving(stage)
    await put(api, "chat", {"model": MODEL})
    for path in (f"/console/instances/{instance_id}", "/console/deployments/chat"):
        page = await window.open(api, path, viewport=size)
        await expect(page.locator("#code")).to_contain_text("curl")
        assert await complaints(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
