"""The form that makes a deployment or changes one, and what the API says of it next to what it is about."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from coldstart.commands.deploy import _name_for
from services.api.console.assets import Assets
from tests.api.deployed import put
from tests.api.stage import EMBEDDING_MODEL, MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_launch import L4, L40S, choose, type_row
from tests.console.test_pages import complaints

PATH: Final = "/console/launch"
NODE: Final = shutil.which("node")


async def opened(stage: Stage, window: Window, query: str = "") -> tuple[RunningApi, Page]:
    await stage.offer(L4, L40S)
    api = await stage.api()
    for model in (MODEL, EMBEDDING_MODEL):
        assert (await api.client.post("/models", json={"model": model})).status_code == 201
    page = await window.open(api, PATH + query)
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    return api, page


async def test_a_deployment_is_what_the_form_makes_unless_a_machine_is_chosen(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window, f"?model={MODEL}")
    await expect(page.get_by_label("A deployment")).to_be_checked()
    await expect(page.get_by_label("Ends after", exact=True)).to_be_hidden()
    await expect(page.get_by_label("Name")).to_have_attribute("placeholder", "qwen2.5-0.5b-instruct")
    await page.get_by_label("A single machine").check()
    await expect(page.get_by_label("Ends after", exact=True)).to_be_visible()
    await expect(page.get_by_label("At most", exact=True)).to_be_hidden()
    await expect(page.get_by_role("button", name="Launch")).to_be_visible()
    await page.get_by_label("A deployment").check()
    await choose(page, "L4-1-24G")
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("qwen2.5-0.5b-instruct")
    made = (await api.client.get("/deployments/qwen2.5-0.5b-instruct")).json()["asked"]
    assert (made["instance_types"], made["min_replicas"], made["max_replicas"]) == (["L4-1-24G"], 0, 1)


async def test_every_field_of_a_deployment_can_be_asked_for(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window, f"?model={MODEL}")
    for label, value in (("Name", "chat"), ("At least", "1"), ("At most", "4"), ("Requests a replica", "8.5")):
        await page.get_by_label(label, exact=True).fill(value)
    await page.locator("#scaling summary").click()
    for label, value in (("Fewer after", "2"), ("A request waits for", "1.5"), ("Fallback", EMBEDDING_MODEL)):
        await page.get_by_label(label, exact=True).fill(value)
    for label, value in (("Surge", "2"), ("An old one goes after", "60")):
        await page.get_by_label(label, exact=True).fill(value)
    await page.get_by_label("Never down to none").check()
    await page.get_by_role("button", name="Add a moment").click()
    turn = page.locator("#schedule-rows li")
    for label, value in (("Minute", "0 8 * * 1-5"), ("Time zone", "Europe/Paris"), ("least", "2"), ("most", "6")):
        await turn.get_by_label(label).fill(value)
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#deployment")).to_be_visible()
    asked = (await api.client.get("/deployments/chat")).json()["asked"]
    wanted = {
        "model": MODEL,
        "min_replicas": 1,
        "max_replicas": 4,
        "target_in_flight": 8.5,
        "scale_down_after": 120,
        "scale_to_zero_after": None,
        "hold": 90,
        "fallback": EMBEDDING_MODEL,
        "rollout": {"surge": 2, "settle": 60},
        "schedule": [{"cron": "0 8 * * 1-5", "time_zone": "Europe/Paris", "min_replicas": 2, "max_replicas": 6}],
    }
    assert {name: asked[name] for name in wanted} == wanted


async def test_a_change_begins_with_what_was_asked_for_and_keeps_all_that_nobody_touched(
    stage: Stage, window: Window
) -> None:
    await stage.offer(L4, L40S)
    api = await stage.api()
    for model in (MODEL, EMBEDDING_MODEL):
        await api.client.post("/models", json={"model": model})
    everything = {
        "model": MODEL,
        "instance_types": ["L40S-1-48G", "L4-1-24G"],
        "zones": ["fr-par-2"],
        "vllm_args": ["--max-model-len", "8192", "--enable-prefix-caching"],
        "volume_gb": 300,
        "max_replicas": 4,
        "scale_down_after": 90,
        "scale_to_zero_after": None,
        "fallback": EMBEDDING_MODEL,
        "rollout": {"surge": 2, "settle": 0},
        "schedule": [{"cron": "0 8 * * 1-5", "time_zone": "Europe/Paris", "min_replicas": 2, "max_replicas": 6}],
    }
    before = (await put(api, "chat", everything))["asked"]
    page = await window.open(api, "/console/deployments/chat")
    await page.get_by_role("link", name="Change").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Change chat")
    await expect(page.get_by_label("Name")).to_have_value("chat")
    await expect(page.get_by_label("Name")).not_to_be_editable()
    await expect(page.locator('input[value="L40S-1-48G"]')).to_be_checked()
    await page.locator("#max_replicas").fill("6")
    await page.get_by_role("button", name="Change").click()
    await expect(page.locator("#facts")).to_contain_text("0 to 6 replicas")
    after = (await api.client.get("/deployments/chat")).json()
    assert (after["asked"], after["revision"]) == (before | {"max_replicas": 6}, 1)


async def test_what_is_wrong_is_said_at_its_field_and_has_the_focus(stage: Stage, window: Window) -> None:
    window.forgives = "status of 422"
    _, page = await opened(stage, window, f"?model={MODEL}")
    await page.get_by_label("At least", exact=True).fill("3")
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#min_replicas-error")).to_contain_text("max_replicas")
    await expect(page.get_by_label("At least", exact=True)).to_be_focused()
    await page.get_by_label("At least", exact=True).fill("many")
    await page.get_by_label("Name").fill("no spaces")
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#min_replicas-error")).not_to_be_empty()
    await page.get_by_label("At least", exact=True).fill("0")
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#name-error")).to_contain_text("no name of a deployment")
    await page.get_by_label("Name").fill("chat")
    await page.locator("#scaling summary").click()
    await page.get_by_label("Surge").fill("0")
    for cron in ("0 8 * * 1-5", "every day"):
        await page.get_by_role("button", name="Add a moment").click()
        turn = page.locator("#schedule-rows li").last
        for label, value in (("Minute", cron), ("least", "0"), ("most", "1")):
            await turn.get_by_label(label).fill(value)
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#rollout-surge-error")).not_to_be_empty()
    await expect(page.locator("#schedule-error")).to_contain_text("2.")
    await expect(page.locator("#schedule-error")).to_contain_text("five fields of cron")
    await expect(page.locator("#schedule-rows li").last.get_by_label("Minute")).to_have_attribute(
        "aria-invalid", "true"
    )
    assert await complaints(page) == []


async def test_a_name_that_is_taken_is_not_changed_by_who_wants_to_make_another(stage: Stage, window: Window) -> None:
    window.forgives = "status of 412"
    api, page = await opened(stage, window, f"?model={EMBEDDING_MODEL}")
    await put(api, "chat", {"model": MODEL})
    await page.get_by_label("Name").fill("chat")
    await page.get_by_role("button", name="Deploy").click()
    await expect(page.locator("#name-error")).to_contain_text("There is a deployment of this name already")
    assert (await api.client.get("/deployments/chat")).json()["model"] == MODEL


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="Node.js is not installed (apt-get install nodejs)")
async def test_the_console_names_a_deployment_as_the_command_line_does(tmp_path: Path) -> None:
    models = [MODEL, "a/b", "org/Überlang_" + "x" * 80, "...", "org/-.a.-"]
    script = f"process.stdout.write(JSON.stringify({json.dumps(models)}.map(nameFor)))"
    assert json.loads(await told_by_node(tmp_path, "deployment-store.js", "nameFor", script)) == [
        _name_for(model) for model in models
    ]


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="Node.js is not installed (apt-get install nodejs)")
async def test_options_are_written_so_that_they_are_read_as_they_were(tmp_path: Path) -> None:
    words = ["--max-model-len", "8192", '--speculative-config={"method": "it\'s"}', "a b", ""]
    script = f"process.stdout.write(JSON.stringify(split(joined({json.dumps(words)}))))"
    assert json.loads(await told_by_node(tmp_path, "arguments.js", "joined, split", script)) == words


@pytest.mark.skipif(NODE is None and "CI" not in os.environ, reason="Node.js is not installed (apt-get install nodejs)")
async def test_steps_of_what_was_wanted_follow_from_the_decisions_also_from_those_before(tmp_path: Path) -> None:
    decisions = [{"at": 5, "wanted": 1}, {"at": 20, "wanted": 1}, {"at": 30, "wanted": 3}, {"at": 50, "wanted": 0}]
    script = f"process.stdout.write(JSON.stringify(wantedSteps({json.dumps(decisions)}, 10, 60)))"
    assert json.loads(await told_by_node(tmp_path, "load-chart.js", "wantedSteps", script)) == [
        {"from": 10, "to": 30, "wanted": 1},
        {"from": 30, "to": 50, "wanted": 3},
        {"from": 50, "to": 60, "wanted": 0},
    ]


async def told_by_node(folder: Path, module: str, name: str, script: str) -> bytes:
    """What this script writes, with that name of that module of the console."""
    assets = Assets.read()
    for file in Path(__file__).parents[2].joinpath("services/api/console/static").glob("*.js"):
        asset = assets.get(file.name)
        assert asset is not None
        (folder / file.name).write_bytes(asset.content)
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    (folder / "tells.js").write_text(f'import {{ {name} }} from "./{module}";\n{script}', encoding="utf-8")
    pipe = asyncio.subprocess.PIPE
    node = await asyncio.create_subprocess_exec(NODE or "node", folder / "tells.js", stdout=pipe)
    output, _ = await node.communicate()
    assert node.returncode == 0
    return output
