"""The machine images: what is on them and costs, builds as they go, and what needs an image that is to be deleted."""

import re
from typing import Any, Final
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, Route, expect

from shared.lifecycle.instance import Instance
from tests.api.control.test_machine_images import an_api, listed, shown
from tests.api.stage import MODEL, RunningApi, Stage
from tests.console.conftest import Window
from tests.console.test_early_choices import script_on_its_way
from tests.console.test_fleet import recent, stayed, stays
from tests.console.test_launch import L4, L40S, SOLD_ELSEWHERE, is_wrong, type_row
from tests.console.test_pages import complaints
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

LIST: Final = "/console/machine-images"
FORM: Final = f"{LIST}/build"
WITH_MODEL: Final[dict[str, Any]] = {"model": MODEL, "commit": "a" * 40, "monthly_price": 4.8, "currency": "EUR"}


def row(page: Page, build: Instance) -> Locator:
    return page.locator(f'#rows [data-build="{build.id}"]')


async def stored(stage: Stage, image_id: str = f.IMAGE, **image: Any) -> Instance:
    """An image whose machine is released."""
    _, *rest = h.a_sealed_machine()
    history = h.a_sealed_machine()[0], *rest, f.machine_image_stored(image_id=image_id, **image)
    return await stage.happened(*history, f.instance_terminated())


async def opened(stage: Stage, window: Window, **options: Any) -> tuple[RunningApi, Page]:
    """The form, with what there is to choose from."""
    await stage.offer(L4, L40S, SOLD_ELSEWHERE)
    await stage.projector()
    api = await stage.api(projection_wait_seconds=5.0)
    assert (await api.client.post("/models", json={"model": MODEL})).status_code == 201
    page = await window.open(api, FORM, **options)
    await expect(type_row(page, "L4-1-24G")).to_be_visible()
    return api, page


async def build(page: Page) -> None:
    await page.get_by_role("button", name="Build").click()


async def test_a_build_is_followed_from_its_first_step_to_the_image_without_a_reload(
    stage: Stage, window: Window
) -> None:
    api = await an_api(stage)
    page = await window.open(api, LIST)
    await expect(page.get_by_text("There is no machine image yet")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("live")
    await stays(page)
    first, *rest = recent(h.a_sealed_machine())
    made = await stage.happened(first)
    for fact in rest:
        made = await stage.happened(fact, instance_id=made.id)
        bar = row(page, made).get_by_role("progressbar")
        await expect(bar).to_have_attribute("aria-valuenow", str(made.progress_percent))
    await expect(row(page, made)).to_contain_text(f"{made.progress_percent} % ")
    await stage.happened(f.machine_image_stored(**WITH_MODEL), instance_id=made.id)
    await expect(row(page, made).locator(".status")).to_have_text("available")
    await expect(bar).to_be_hidden()
    for words in ("L4-1-24G", "fr-par-2", f.IMAGE, "vllm/vllm-openai:v0.32.0", f"{MODEL} at aaaaaaaaaaaa", "60 GB"):
        await expect(row(page, made)).to_contain_text(words)
    await expect(row(page, made)).to_contain_text("€4.80")
    await expect(row(page, made)).to_contain_text("shared by all")
    await expect(page.locator("#sum")).to_have_text("1 image · €4.80 a month")
    await expect(page.locator("#announcements")).to_contain_text("The image for L4-1-24G is available.")
    assert await stayed(page)


async def test_a_list_that_lags_behind_the_events_is_asked_for_until_it_has_them(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api, LIST)
    await expect(page.get_by_text("There is no machine image yet")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("live")
    for _ in range(2):
        async with page.expect_response("**/machine-images") as answered:
            made = await stage.happened(*recent(h.a_sealed_machine())[:1])
        await (await answered.value).finished()
    await stage.projector()
    await expect(row(page, made).locator(".status")).to_have_text("building")
    await expect(page.locator("#rows tr")).to_have_count(2)


async def test_a_build_that_failed_says_why_and_leads_to_its_page(stage: Stage, window: Window) -> None:
    api = await an_api(stage)
    page = await window.open(api, LIST)
    made = await stage.happened(*recent(h.a_sealed_machine()))
    await expect(row(page, made).locator(".status")).to_have_text("building")
    await stage.happened(f.startup_failed(code="quota_exceeded", message="No more than 5."), instance_id=made.id)
    await expect(row(page, made).locator(".status")).to_have_text("failed")
    await expect(row(page, made)).to_contain_text("quota_exceeded: No more than 5.")
    await expect(row(page, made).get_by_role("button")).to_have_count(0)
    await row(page, made).get_by_role("link", name="L4-1-24G").click()
    await expect(page).to_have_url(re.compile(f"/console/instances/{made.id}$"))


async def test_an_image_in_use_names_its_launches_and_is_deleted_after_them(stage: Stage, window: Window) -> None:
    api = await an_api(stage)
    made = await stored(stage)
    await shown(api, "available")
    page = await window.open(api, LIST)
    await expect(row(page, made).locator("[data-of=users]")).to_have_text("—")
    request = f.instance_requested(specification=f.a_specification(name="evening"))
    launch = await stage.happened(request, f.machine_image_chosen())
    user = row(page, made).get_by_role("link", name="evening")
    await expect(user).to_have_attribute("href", f"/console/instances/{launch.id}")
    delete = row(page, made).get_by_role("button", name=f"Delete the image for L4-1-24G {f.IMAGE}")
    await delete.click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It is in use by evening, so it is deleted only when that machine answers.")
    await page.keyboard.press("Escape")
    assert [one["state"] for one in await listed(api)] == ["available"]
    await delete.click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(row(page, made).locator(".status")).to_have_text("retired")
    await expect(row(page, made)).to_contain_text("requested")
    await expect(delete).to_be_hidden()
    await stage.happened(*h.a_launch()[1:], instance_id=launch.id)
    await expect(row(page, made).locator("[data-of=users]")).to_have_text("—")
    await stage.happened(f.machine_image_deleted(), instance_id=made.id)
    await expect(page.get_by_text("There is no machine image yet")).to_be_visible()


async def test_a_deletion_that_is_refused_is_said(stage: Stage, window: Window) -> None:
    window.forgives = "status of 404"
    api = await an_api(stage)
    made = await stored(stage)
    await shown(api, "available")
    page = await window.open(api, LIST)
    await row(page, made).get_by_role("button").click()
    await page.route("**/events*", lambda route: route.abort())
    await stage.happened(f.machine_image_deleted(), instance_id=made.id)
    await shown(api)
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("There is no machine image")


async def test_an_image_of_an_organisation_names_it(stage: Stage, window: Window) -> None:
    api = await an_api(stage)
    acme = await api.organization("acme")
    asked = h.a_sealed_machine(organization_id=UUID(acme["id"]))
    made = await stage.happened(*asked, f.machine_image_stored(warmed=True, **WITH_MODEL), f.instance_terminated())
    await shown(api, "available")
    page = await window.open(api, LIST)
    await expect(row(page, made).locator("[data-of=owner]")).to_have_text("acme")
    await expect(row(page, made)).to_contain_text("compiled")


async def test_a_build_is_asked_for_with_all_that_the_form_has(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    await api.organization("acme")
    await page.reload()
    await page.get_by_label("Model").fill(MODEL)
    await expect(page.locator("#model-hint")).to_contain_text("In the catalogue")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("1.0 GB are the weights")
    await page.get_by_label("L4-1-24G").check()
    await page.get_by_label("L40S-1-48G").check()
    await expect(page.get_by_label("L4-1-24G")).not_to_be_checked()
    await page.get_by_label("fr-par-2", exact=True).check()
    await page.locator("#advanced summary").click()
    await page.get_by_label("Organisation").select_option("acme")
    await page.get_by_label("Revision").fill("main")
    await page.get_by_label("Image", exact=True).fill("vllm/vllm-openai:v0.31.0")
    await page.get_by_label("More options of vLLM").fill("--max-model-len '8192'")
    await build(page)
    await expect(page).to_have_url(re.compile(f"{LIST}$"))
    await expect(page.locator("#rows tr")).to_contain_text("building")
    await expect(page.locator("#rows tr")).to_contain_text("acme")
    [image] = await listed(api)
    wanted = (await stage.journal.load(UUID(image["build"]))).specification
    assert (wanted.purpose, wanted.model, wanted.revision) == ("machine_image", MODEL, "main")
    assert (wanted.instance_types, wanted.zones) == (("L40S-1-48G",), ("fr-par-2",))
    assert (wanted.image, wanted.vllm_args) == ("vllm/vllm-openai:v0.31.0", ("--max-model-len", "8192"))
    assert wanted.organization_id == UUID((await api.client.get("/organizations/acme")).json()["id"])


async def test_by_keyboard_alone_an_image_without_a_model_is_built(stage: Stage, window: Window) -> None:
    api, page = await opened(stage, window)
    await page.get_by_label("L4-1-24G").focus()
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"{LIST}$"))
    [image] = await listed(api)
    wanted = (await stage.journal.load(UUID(image["build"]))).specification
    assert (wanted.model, wanted.instance_types, wanted.zones) == ("", ("L4-1-24G",), ())


async def test_a_wrong_input_in_every_field_is_said_next_to_it(stage: Stage, window: Window) -> None:
    window.forgives = "status of 4"
    api, page = await opened(stage, window)
    await api.organization("acme")
    await page.reload()
    model, types = page.get_by_label("Model"), page.locator('input[name="instance_type"]')
    await build(page)
    await is_wrong(page, types.first, "instance_type", "Choose the type")
    await expect(types.first).to_be_focused()
    await page.get_by_label("L4-1-24G").check()
    await page.get_by_label("nl-ams-1").check()
    await build(page)
    await is_wrong(page, page.get_by_label("nl-ams-1"), "zone", "offered in none of these zones")
    await page.get_by_label("fr-par-2", exact=True).check()
    await page.locator("#advanced summary").click()
    options, revision = page.get_by_label("More options of vLLM"), page.get_by_label("Revision")
    await options.fill("--max-model-len=8192")
    await revision.fill("v1.1")
    await page.locator("#advanced summary").click()
    await build(page)
    await is_wrong(page, options, "vllm_args", "Name the model")
    await is_wrong(page, revision, "revision", "Name the model")
    await expect(revision).to_be_focused()
    await model.fill("acme/unheard-of")
    await options.fill("")
    await build(page)
    await is_wrong(page, model, "model", "has no public model")
    await model.fill(MODEL)
    await revision.fill("no such branch")
    await build(page)
    await is_wrong(page, revision, "revision", "")
    await revision.fill("")
    for text, said in (("--host 0.0.0.0", "--host"), ("--dtype 'half", "has nothing after it")):
        await options.fill(text)
        await build(page)
        await is_wrong(page, options, "vllm_args", said)
    await options.fill("")
    image, owner = page.get_by_label("Image", exact=True), page.get_by_label("Organisation")
    await image.fill("not an image")
    await build(page)
    await is_wrong(page, image, "image", "")
    await image.fill("")
    await owner.select_option("acme")
    await api.client.delete("/organizations/acme")
    await build(page)
    await is_wrong(page, owner, "organization", "no organisation has the slug 'acme'")
    assert await complaints(page) == []
    await stage.offer(L40S)
    await owner.select_option("")
    await build(page)
    await is_wrong(page, page.get_by_label("L4-1-24G"), "instance_type", "L4-1-24G is not offered")
    assert await listed(api) == []


async def test_what_is_chosen_stays_when_it_is_not_offered_any_more(stage: Stage, window: Window) -> None:
    _, page = await opened(stage, window)
    await page.get_by_label("L4-1-24G").check()
    await page.get_by_label("fr-par-1").check()
    await stage.offer(L40S)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await expect(type_row(page, "L4-1-24G")).to_contain_text("not offered any more")
    await expect(type_row(page, "H100-1-80G")).to_have_count(0)
    await expect(page.get_by_label("L4-1-24G")).to_be_checked()
    await expect(page.get_by_label("fr-par-1")).to_be_checked()


async def test_what_is_typed_before_the_script_has_come_stays(stage: Stage, window: Window) -> None:
    async with script_on_its_way(stage, window, FORM, "machine-image-form.js") as page:
        await page.get_by_label("Model").fill(MODEL)
    await expect(page.locator("#model-hint")).not_to_be_empty()
    await expect(page.get_by_label("Model")).to_have_value(MODEL)


async def test_without_any_type_the_form_says_so(stage: Stage, window: Window) -> None:
    await stage.offer()
    api = await stage.api()
    page = await window.open(api, "/console/playground")
    await page.route("**/instance-types", lambda route: route.fulfill(json={"items": [], "providers": []}))
    await page.goto(api.url + FORM)
    await expect(page.locator("#types")).to_contain_text("Types are not known yet")
    await expect(page.locator("#types input")).to_have_count(0)


async def test_machine_images_are_for_administrators_alone(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api = await stage.api()
    await api.organization("acme")
    for path in (LIST, FORM):
        page = await window.open(api, path, key=await api.user_key("acme"))
        await expect(page.get_by_role("heading")).to_have_text("This key may not do that")
    await page.goto(api.url)
    await expect(page.get_by_role("link", name="Fleet")).to_be_visible()
    await expect(page.get_by_role("link", name="Machine images")).to_have_count(0)


async def test_a_list_that_cannot_be_had_is_said_and_asked_for_again(stage: Stage, window: Window) -> None:
    window.forgives = "net::ERR_FAILED"
    api = await an_api(stage)
    page = await window.open(api, "/console/playground")
    tries = 0

    async def fail_once(route: Route) -> None:
        nonlocal tries
        tries += 1
        await (route.abort() if tries == 1 else route.continue_())

    await page.route(f"{api.url}/machine-images", fail_once)
    await page.goto(api.url + LIST)
    await expect(page.locator("#nothing")).to_contain_text("The API does not answer")
    await expect(page.get_by_text("There is no machine image yet")).to_be_visible()


@pytest.mark.parametrize("width", [360, 800, 1280])
async def test_nothing_keeps_anybody_from_the_machine_images(stage: Stage, window: Window, width: int) -> None:
    size: Any = {"width": width, "height": 740}
    api, page = await opened(stage, window, viewport=size)
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.goto(api.url + LIST)
    await expect(page.get_by_text("There is no machine image yet")).to_be_visible()
    assert await complaints(page) == []
    await stored(stage, **WITH_MODEL)
    await stage.happened(f.instance_requested(specification=f.a_specification(name="w" * 60)), f.machine_image_chosen())
    await stage.happened(*recent(h.a_sealed_machine(name="other")))
    await stage.happened(*h.a_sealed_machine(), f.startup_failed(message="x" * 300))
    await expect(page.locator("#rows tr")).to_have_count(3)
    await expect(page.get_by_role("link", name="w" * 60)).to_be_visible()
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.get_by_role("button", name="Delete").click()
    assert await complaints(page) == []
