"""The form that asks for an instance, and what the API says of it next to what it is about."""

import asyncio
import re
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, Route, expect

from shared.offers.instance_types import InstanceType, InstanceTypes
from tests.api.stage import MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_fleet import recent
from tests.console.test_pages import complaints
from tests.lifecycle import histories as h

PATH = "/console/launch?as=machine"
LARGE = "Qwen/Qwen2.5-72B-Instruct"
TIGHT = "Qwen/Qwen2.5-14B-Instruct"
IMAGE = "vllm/vllm-openai:v0.32.0"
PRICED: dict[str, Any] = {"gpus": 1, "currency": "EUR", "image": IMAGE}
L4 = InstanceType(
    name="L4-1-24G",
    zones=("fr-par-2", "fr-par-1"),
    gpu="L4",
    gpu_memory_gb=24,
    hourly_price=0.75,
    availability={"fr-par-2": "available", "fr-par-1": "scarce"},
    **PRICED,
)
L40S = InstanceType(
    name="L40S-1-48G",
    zones=("fr-par-2",),
    gpu="L40S",
    gpu_memory_gb=48,
    hourly_price=1.4,
    scratch_gb=1600,
    availability={"fr-par-2": "shortage"},
    **PRICED,
)
BOX = InstanceType(name="own", zones=("cellar",), gpus=1)
SOLD_ELSEWHERE = InstanceType(name="H100-1-80G", zones=("nl-ams-1",), gpus=1, gpu="H100")


async def opened(stage: Stage, window: Window, query: str = "", **options: Any) -> tuple[RunningApi, Page]:
    """The form, with what there is to choose from."""
    await stage.offer(L4, L40S, SOLD_ELSEWHERE)
    api = await stage.api()
    for model in (MODEL, LARGE):
        assert (await api.client.post("/models", json={"model": model})).status_code == 201
    page = await window.open(api, PATH + query.replace("?", "&"), **options)
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    return api, page


def type_row(page: Page, name: str) -> Locator:
    return page.locator("#types tr").filter(has_text=name)


async def choose(page: Page, *values: str) -> None:
    for value in values:
        await page.locator(f'input[type="checkbox"][value="{value}"]').check()


async def submit(page: Page) -> None:
    await page.get_by_role("button", name="Launch").click()


async def test_an_instance_is_launched_from_the_form_and_its_page_follows_it_to_ready(
    stage: Stage, window: Window
) -> None:
    _, page = await opened(stage, window)
    await page.get_by_label("Model").fill(MODEL)
    await choose(page, "L40S-1-48G", "L4-1-24G", "fr-par-2", "fr-par-1")
    await page.get_by_label("Name").fill("evening")
    await page.get_by_label("Ends after", exact=True).fill("1.5")
    await page.get_by_label("Ends when idle for", exact=True).fill("30")
    await page.get_by_label("Unit of: Ends when idle for").select_option("minutes")
    await page.get_by_label("Keep the machine").check()
    await submit(page)
    await expect(page).to_have_url(re.compile("/console/instances/"))
    instance_id = page.url.rpartition("/")[2]
    _, *rest = recent(h.a_ready_instance())
    instance = await stage.happened(*rest, instance_id=UUID(instance_id))
    wanted = instance.specification
    assert (wanted.model, wanted.name, wanted.keep_for_inspection) == (MODEL, "evening", True)
    assert (wanted.instance_types, wanted.zones) == (("L40S-1-48G", "L4-1-24G"), ("fr-par-2", "fr-par-1"))
    assert (wanted.max_lifetime, wanted.idle_shutdown) == (5400, 1800)
    await expect(page.locator("#status")).to_have_text("ready")


async def test_by_keyboard_alone_any_type_in_any_zone_is_what_is_asked_for(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window, f"?model={MODEL}")
    await expect(page.get_by_label("Model")).to_have_value(MODEL)
    await page.get_by_label("Model").focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/console/instances/"))
    wanted = (await stage.journal.load(UUID(page.url.rpartition("/")[2]))).specification
    assert (wanted.instance_types, wanted.zones, wanted.max_lifetime) == ((), (), None)


async def test_what_is_typed_before_the_page_is_all_there_stays(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    typed = asyncio.Event()

    async def late(route: Route) -> None:
        await typed.wait()
        await route.continue_()

    await page.route("**/launch.js", late)
    await page.goto(api.url + PATH, wait_until="commit")
    await page.get_by_label("Model").fill(MODEL)
    typed.set()
    await expect(page.locator("#model-hint")).to_contain_text("In the catalogue")
    await expect(page.get_by_label("Model")).to_have_value(MODEL)


async def test_the_order_is_that_of_choosing_and_any_forgets_it(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await choose(page, "L40S-1-48G", "L4-1-24G")
    any_type = page.locator('#types input[value="any"]')
    await expect(any_type).not_to_be_checked()
    await expect(type_row(page, "L40S-1-48G").locator(".order")).to_have_text("1")
    await expect(type_row(page, "L4-1-24G").locator(".order")).to_have_text("2")
    await page.locator('input[value="L40S-1-48G"]').uncheck()
    await expect(type_row(page, "L4-1-24G").locator(".order")).to_have_text("1")
    await any_type.check()
    await expect(page.locator('input[value="L4-1-24G"]')).not_to_be_checked()


async def test_a_type_that_vllm_cannot_use_cannot_be_ticked_and_says_why(stage: Stage, window: Window) -> None:
    await stage.offer(L4, InstanceType(name="RENDER-S", zones=("fr-par-1",), gpu="P100", gpu_memory_gb=16, **PRICED))
    api = await stage.api()
    page = await window.open(api, PATH)
    old = type_row(page, "RENDER-S")
    await expect(old).to_contain_text("unusable: its P100 has compute capability 6.0, and vLLM needs 7.5 or more")
    await expect(old.locator("input")).to_be_disabled()
    await expect(type_row(page, "L4-1-24G").locator("input")).to_be_enabled()


async def test_types_are_shown_with_their_price_memory_stock_and_what_the_weights_take(
    stage: Stage, window: Window
) -> None:
    _, page = await opened(stage, window)
    small, scarce = type_row(page, "L4-1-24G"), type_row(page, "L40S-1-48G")
    for words in ("1 × L4", "24 GB", "€0.75", "fr-par-2 available, fr-par-1 scarce"):
        await expect(small).to_contain_text(words)
    for words in ("48 GB, 1.6 TB scratch", "fr-par-2 shortage"):
        await expect(scarce).to_contain_text(words)
    assert await page.locator("#types th input").evaluate_all("(all) => all.map((one) => one.value)") == [
        "any",
        "L4-1-24G",
        "L40S-1-48G",
        "H100-1-80G",
    ]
    await page.get_by_label("Model").fill(MODEL)
    await expect(small).to_contain_text("1.0 GB are the weights")
    await expect(page.locator("#model-hint")).to_contain_text("1.0 GB of weights")
    await page.get_by_label("Model").fill(LARGE)
    await expect(small).to_contain_text("too small for 145.4 GB")
    await page.get_by_label("Model").fill("somebody/else")
    await expect(page.locator("#model-hint")).to_contain_text("looked up on the Hugging Face hub")
    await page.get_by_label("Model").fill("openai-community/gpt2")
    await expect(small).to_contain_text("0.3 GB are the weights")
    await page.locator("#advanced summary").click()
    await page.get_by_label("Revision").fill("quantized")
    await expect(small).not_to_contain_text("weights")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("", "at least 1 character"),
        ("no-hub-id", "is no id of the Hugging Face hub"),
        ("acme/unheard-of", "has no public model"),
        ("meta-llama/Llama-3.1-8B-Instruct", "gated: accept its licence"),
    ],
)
async def test_a_model_that_is_not_to_be_had_is_explained_next_to_it(
    stage: Stage, window: Window, model: str, said: str
) -> None:
    window.forgives = "status of 4"
    _, page = await opened(stage, window)
    await page.get_by_label("Model").fill(model)
    await submit(page)
    await is_wrong(page, page.get_by_label("Model"), "model", said)
    await expect(page.get_by_label("Model")).to_be_focused()
    await page.get_by_label("Model").fill(MODEL)
    await submit(page)
    await expect(page).to_have_url(re.compile("/console/instances/"))


async def is_wrong(page: Page, field: Locator, name: str, said: str) -> None:
    """What is wrong is said next to the field, and the field says where."""
    await expect(page.locator(f"#{name}-error")).to_contain_text(said)
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_attribute("aria-describedby", re.compile(rf"\b{name}-error\b"))


async def test_a_wrong_input_in_every_other_field_is_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    _, page = await opened(stage, window, f"?model={MODEL}")
    name, ends = page.get_by_label("Name"), page.get_by_label("Ends after", exact=True)
    idle = page.get_by_label("Ends when idle for", exact=True)
    await name.fill("?!")
    await ends.fill("soon")
    await idle.fill("0.001")
    await submit(page)
    await is_wrong(page, name, "name", "may have letters, digits, spaces")
    await is_wrong(page, ends, "max_lifetime", "In seconds: has to be a valid integer")
    await is_wrong(page, idle, "idle_shutdown", "greater than or equal to 60")
    await expect(name).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("See the errors above.")
    assert await complaints(page) == []
    for field in (name, ends, idle):
        await field.fill("")
    await choose(page, "L4-1-24G", "nl-ams-1")
    await submit(page)
    await is_wrong(page, page.locator('input[value="nl-ams-1"]'), "zones", "offered in none of these zones")
    await expect(name).not_to_have_attribute("aria-invalid", "true")
    await stage.offer(L40S)
    await submit(page)
    await is_wrong(page, page.locator('input[value="L4-1-24G"]'), "instance_types", "L4-1-24G is not offered")
    await is_wrong(page, page.locator('input[value="nl-ams-1"]'), "zones", "nl-ams-1 is not known")


async def unfolded(stage: Stage, window: Window) -> tuple[RunningApi, Page]:
    """The form for an organisation of two, with its rarer fields in sight."""
    api, page = await opened(stage, window, f"?model={MODEL}")
    await api.organization("acme")
    await page.reload()
    await page.locator("#advanced summary").click()
    await page.get_by_label("Organisation").select_option("acme")
    return api, page


async def test_the_rarer_fields_are_asked_for_as_they_are_filled_in(stage: Stage, window: Window) -> None:
    window.forgives = "status of 422"
    api, page = await unfolded(stage, window)
    await page.get_by_label("Revision").fill("v1.1")
    await page.get_by_label("Image").fill("vllm/vllm-openai:v0.32.0")
    await page.get_by_label("Boot volume").fill("300")
    await page.get_by_label("More options of vLLM").fill(
        "--max-model-len '8192' \\\n  --dtype=\"half\"\n--enforce-eager "
    )
    task = page.get_by_label("Task")
    await task.select_option("make embeddings")
    await submit(page)
    await is_wrong(page, task, "task", "is known for the task generate")
    await task.select_option("generate text")
    await submit(page)
    await expect(page).to_have_url(re.compile("/console/instances/"))
    wanted = (await stage.journal.load(UUID(page.url.rpartition("/")[2]))).specification
    assert (wanted.revision, wanted.image, wanted.volume_gb) == ("v1.1", "vllm/vllm-openai:v0.32.0", 300)
    assert wanted.vllm_args == ("--max-model-len", "8192", "--dtype=half", "--enforce-eager")
    assert str(wanted.organization_id) == (await api.client.get("/organizations/acme")).json()["id"]


async def test_a_wrong_input_in_a_rarer_field_is_unfolded_and_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api, page = await unfolded(stage, window)
    fields = {name: page.get_by_label(name) for name in ("Revision", "Image", "Boot volume", "More options of vLLM")}
    revision, image, volume, options = fields.values()
    await revision.fill("a b")
    await image.fill("?")
    await volume.fill("much")
    await page.locator("#advanced summary").click()
    await expect(revision).to_be_hidden()
    await submit(page)
    await is_wrong(page, revision, "revision", "is no name of a branch")
    await is_wrong(page, image, "image", "is no name of an image")
    await is_wrong(page, volume, "volume_gb", "valid integer")
    await expect(page.get_by_role("alert")).to_contain_text("See the errors above.")
    await expect(page.locator("#advanced [aria-invalid]:focus")).to_have_count(1)
    assert await complaints(page) == []
    for field in (revision, image):
        await field.fill("")
    await volume.fill("20")
    await submit(page)
    await is_wrong(page, volume, "volume_gb", "greater than or equal to 150")
    await volume.fill("")
    await options.fill("--seed 'seven")
    await submit(page)
    await is_wrong(page, options, "vllm_args", "a quote or a backslash has nothing after it")
    await options.fill("--trust-remote-code --seed seven")
    await submit(page)
    await is_wrong(page, options, "vllm_args", "--trust-remote-code may not be set here")
    await is_wrong(page, options, "vllm_args", "Invalid value 'seven' for --seed")
    await expect(image).to_have_attribute("placeholder", IMAGE)
    await options.fill("--enforce-eager --swap-space 4")
    await submit(page)
    await is_wrong(page, options, "vllm_args", "vLLM 0.32.0 has no --swap-space")
    await options.fill("")
    assert (await api.client.delete("/organizations/acme")).status_code == 204
    await submit(page)
    await is_wrong(page, page.get_by_label("Organisation"), "organization", "no organisation has the slug 'acme'")


async def test_an_image_that_a_member_may_not_name_is_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api = await stage.api()
    await api.organization("acme")
    page = await window.open(api, f"{PATH}&model={MODEL}", key=await api.user_key("acme"))
    await page.get_by_text("Advanced").click()
    image = page.get_by_label("Image")
    await image.fill("evil/vllm-openai")
    await page.get_by_role("button", name="Launch").click()
    await is_wrong(page, image, "image", "COLDSTART_ALLOWED_IMAGES")


async def test_only_an_administrator_chooses_whose_it_is(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    await expect(page.locator("#organization")).to_have_count(1)
    await api.organization("acme")
    page = await window.open(api, PATH, key=await api.user_key("acme"))
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    await expect(page.locator("#organization")).to_have_count(0)


async def test_a_provider_is_chosen_where_there_are_several(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    jetstream = stage.connection.jetstream()
    await InstanceTypes(jetstream, replicas=1).publish("machines", (BOX,))
    _, page = await opened(stage, window, f"?model={MODEL}")
    await expect(page.get_by_label("Provider")).to_have_value("scaleway")
    await page.get_by_label("Provider").select_option("machines")
    await expect(type_row(page, "L4-1-24G")).to_have_count(0)
    await choose(page, "own", "cellar")
    await (await jetstream.key_value("instance_types")).delete("machines")
    await submit(page)
    await is_wrong(page, page.get_by_label("Provider"), "provider", "machines is not known")


async def test_what_most_likely_will_not_do_is_told_before_the_page_moves_on(stage: Stage, window: Window) -> None:
    await stage.offer(L4.model_copy(update={"name": "L4-2-24G", "gpus": 2}))
    api = await stage.api()
    page = await window.open(api, f"{PATH}&model={TIGHT}")
    await choose(page, "L4-2-24G")
    await page.locator("#advanced summary").click()
    await page.get_by_label("More options of vLLM").fill("--tensor-parallel-size 1")
    await submit(page)
    warned = page.locator("#warned")
    await expect(warned).to_contain_text("the weights take 29.5 GB")
    await expect(warned).to_be_focused()
    assert await complaints(page) == []
    await page.get_by_role("link", name="Watch the launch").click()
    await expect(page).to_have_url(re.compile("/console/instances/"))


async def test_a_form_that_is_sent_again_is_one_instance_and_a_changed_one_another(
    stage: Stage, window: Window
) -> None:
    window.forgives = "net::ERR_FAILED"
    _, page = await opened(stage, window, f"?model={MODEL}")
    keys: list[str] = []

    async def answer_is_lost(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        await route.fetch()
        await route.abort()

    await page.route("**/instances", answer_is_lost)
    for name in ("", "", "another"):
        await page.get_by_label("Name").fill(name)
        await submit(page)
        await expect(page.get_by_role("alert")).to_contain_text("The API does not answer")
        await expect(page.get_by_role("button", name="Launch")).to_be_enabled()
    assert len(keys) == 3
    assert len(set(keys)) == 2
    assert await stage.last_sequence() == 2


async def test_what_is_about_no_field_is_said_too(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api, _ = await opened(stage, window)
    await api.organization("acme", max_instances=0)
    page = await window.open(api, f"{PATH}&model={MODEL}", key=await api.user_key("acme"))
    await submit(page)
    await expect(page.get_by_role("alert")).to_contain_text("The organisation has reached a limit")
    await expect(page.get_by_role("alert")).to_contain_text("at most 0 instances")


async def test_who_may_not_launch_is_told_so(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api = await stage.api()
    page = await window.open(api, PATH, key=await api.user_key())
    await expect(page.get_by_role("heading")).to_have_text("This key may not do that")


async def test_on_a_telephone_prices_and_stock_are_seen_without_moving_the_table(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window, viewport={"width": 360, "height": 740})
    await page.get_by_label("Model").fill(LARGE)
    await expect(type_row(page, "L4-1-24G")).to_contain_text("too small")
    for words in ("€0.75", "24 GB", "too small for", "fr-par-2 available"):
        box = await type_row(page, "L4-1-24G").get_by_text(words).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 345
    await page.get_by_label("Model").fill(TIGHT)
    await expect(type_row(page, "L40S-1-48G")).to_contain_text("2 at once")
    assert await page.locator(".wide").evaluate("(wide) => wide.scrollWidth === wide.clientWidth")
    assert await complaints(page) == []


async def test_what_the_weights_take_is_said_only_where_it_is_known(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window, f"?model={LARGE}")
    await page.locator("#advanced summary").click()
    fit = type_row(page, "L4-1-24G").locator("[data-of=fit]")
    await expect(fit).to_have_text("too small for 145.4 GB")
    await page.get_by_label("Revision").fill("v2")
    await expect(fit).to_have_text("")
    await page.get_by_label("Revision").fill("main")
    await expect(fit).to_have_text("too small for 145.4 GB")
    options = page.get_by_label("More options of vLLM")
    for resizing in ("--quantization=fp8", "--cpu-offload-gb 120", "--dtype float32"):
        await options.fill(resizing)
        await expect(fit).to_have_text("")
    await options.fill("--max-model-len 8192")
    await expect(fit).to_have_text("too small for 145.4 GB")


async def test_each_type_says_how_long_a_context_it_has_room_for_and_how_often(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window, f"?model={TIGHT}")
    context = type_row(page, "L40S-1-48G").locator("[data-of=context]")
    await expect(context).to_have_text("32,768 tokens, 2 at once")
    await page.locator("#advanced summary").click()
    await page.get_by_label("More options of vLLM").fill("--max-model-len 4096")
    await expect(context).to_have_text("32,768 tokens, 16 at once")
    await page.get_by_label("Revision").fill("no-such-revision")
    await expect(context).to_have_text("")


async def test_nothing_keeps_anybody_from_launching(stage: Stage, window: Window) -> None:
    narrow = {"width": 360, "height": 740}
    _, page = await opened(stage, window, f"?model={LARGE}", viewport=narrow)
    await choose(page, "L4-1-24G", "fr-par-2")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("too small")
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
