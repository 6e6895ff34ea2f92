"""Who gets in: by key or by a link that works once, and only from our own pages."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
import pytest
from aiohttp import web
from litestar import Router
from litestar.routes import HTTPRoute
from playwright.async_api import expect
from structlog.testing import capture_logs

from services.api.console.app import PAGES
from services.api.http.session_cookie import COOKIE, UNDER_TLS
from tests.api.stage import ADMIN_KEY, BODY, MODEL, RunningApi, Stage, until
from tests.console.conftest import Window
from tests.lifecycle import facts

FOR_STRANGERS = {"/sign-in", "/asyncapi"}


@asynccontextmanager
async def signed_in(api: RunningApi, key: str = ADMIN_KEY) -> AsyncGenerator[httpx.AsyncClient]:
    """As a browser: with the session's cookie and no key."""
    async with api.stranger() as client:
        assert (await client.post("/sign-in", data={"key": key})).status_code == 303
        yield client


async def csrf_token(client: httpx.AsyncClient) -> str:
    return (await client.get("/")).text.partition('name="csrf-token" content="')[2].partition('"')[0]


async def test_pages_are_for_those_who_signed_in_and_lead_back_to_where_one_was_going(
    stage: Stage, window: Window
) -> None:
    api = await stage.api()
    page = await window.page()
    await page.goto(f"{api.url}/?status=failed")
    await expect(page).to_have_title("Sign in · Coldstart")
    await page.get_by_label("API key").fill(ADMIN_KEY)
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{api.url}/?status=failed")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{api.url}/sign-in")
    await page.goto(api.url)
    await expect(page).to_have_url(f"{api.url}/sign-in?next=/")


async def test_the_badge_of_a_simulated_cloud_is_no_wider_than_its_words(stage: Stage, window: Window) -> None:
    api = await stage.api(simulated=("cloud",))
    page = await window.page()
    await page.goto(f"{api.url}/sign-in")
    box = await page.get_by_text("Simulated cloud").bounding_box()
    assert box is not None
    assert box["width"] < 200


def console_pages() -> list[str]:
    """Every one that is not for strangers."""
    routes = [
        route
        for route in Router("/", route_handlers=[page for part in PAGES for page in part.ROUTES]).routes
        if isinstance(route, HTTPRoute)
    ]
    return [route.path_format for route in routes if "GET" in route.methods and route.path_format not in FOR_STRANGERS]


def test_there_are_pages_to_ask_for() -> None:
    assert {"/", "/console/launch", "/console/instances/{instance_id}"} < set(console_pages())


@pytest.mark.parametrize("path", console_pages())
async def test_no_page_is_shown_to_who_did_not_sign_in(stage: Stage, path: str) -> None:
    api = await stage.api()
    address = re.sub(r"{\w+}", "8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59", path)
    async with api.stranger() as client:
        for headers in ({}, {"Cookie": f"{COOKIE}=made-up"}):
            shown = await client.get(address, headers=headers)
            assert shown.status_code == 303
            assert shown.headers["location"] == f"/sign-in?next={address}"
            assert shown.text == ""


async def test_nothing_is_changed_by_a_session_without_the_token_of_its_pages(stage: Stage) -> None:
    api = await stage.api()
    routes = (await api.client.get("/schema/openapi.json")).json()["paths"]
    changes = [(verb, path) for path, verbs in routes.items() for verb in verbs if verb != "get"]
    assert len(changes) > 15
    async with signed_in(api) as client:
        for verb, path in changes:
            address = re.sub(r"{\w+}", "8e2d9a51-6c5a-4a6e-9b60-7d1f2c3b4a59", path)
            refused = await client.request(verb, address, json=None if verb == "delete" else {})
            assert refused.status_code == 403, (verb, path)
            assert refused.json().get("error", refused.json())["code"] == "csrf_token_invalid"


async def test_a_wrong_key_is_refused_in_words(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api = await stage.api()
    page = await window.page()
    await page.goto(api.url)
    await page.get_by_label("API key").fill("csk_wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("no key of this installation")
    assert await page.context.cookies() == []


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(stage: Stage) -> None:
    api = await stage.api()
    async with api.stranger() as client:
        plain = await client.post("/sign-in", data={"key": ADMIN_KEY})
        secure = await client.post("/sign-in", data={"key": ADMIN_KEY}, headers={"X-Forwarded-Proto": "https"})
    attributes = {part.strip() for part in plain.headers["set-cookie"].split(";")[1:]}
    assert attributes == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=strict"}
    assert secure.headers["set-cookie"].startswith(f"{UNDER_TLS}=")
    assert "; Secure" in secure.headers["set-cookie"]
    assert "domain" not in secure.headers["set-cookie"].lower()


async def test_under_tls_a_session_counts_by_the_name_that_no_other_host_can_set_and_by_no_other(stage: Stage) -> None:
    api = await stage.api(ping_seconds=0.1)
    tls = {"X-Forwarded-Proto": "https"}
    async with api.stranger() as client:
        entered = await client.post("/sign-in", data={"key": ADMIN_KEY}, headers=tls)
        session = entered.headers["set-cookie"].partition("=")[2].partition(";")[0]
        client.cookies.clear()

        async def status(name: str, path: str, headers: dict[str, str]) -> int:
            return (await client.get(path, headers={"Cookie": f"a=b; {name}={session}", **headers})).status_code

        for path in ("/instances", "/v1/models"):
            assert await status(UNDER_TLS, path, tls) == 200
            assert await status(COOKIE, path, tls) == 401
            assert await status(UNDER_TLS, path, {}) == 401
            assert await status(COOKIE, path, {}) == 200

        planted = {"Cookie": f"{COOKIE}=planted; {UNDER_TLS}={session}", **tls}
        page = (await client.get("/", headers=planted)).text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        assert (await client.post("/sign-in-links", headers=planted)).status_code == 403
        assert (await client.post("/sign-in-links", headers={**planted, "X-CSRF-Token": token})).status_code == 201
        async with asyncio.timeout(120), client.stream("GET", "/events", headers=planted) as told:
            assert told.status_code == 200
            async for line in told.aiter_lines():
                if line == ": ping":
                    break
        left = await client.post("/sign-out", headers=planted)
        assert left.headers["set-cookie"].startswith(f"{UNDER_TLS}=")
        assert "Max-Age=0" in left.headers["set-cookie"]


@pytest.mark.parametrize("target", ["https://elsewhere.test/", "//elsewhere.test", "/\\elsewhere.test", "javascript:x"])
async def test_signing_in_never_leads_elsewhere(stage: Stage, target: str) -> None:
    api = await stage.api()
    async with api.stranger() as client:
        form = await client.get(f"/sign-in?next={quote(target)}")
        entered = await client.post("/sign-in", data={"key": ADMIN_KEY, "next": target})
    assert 'name="next" value="/"' in form.text
    assert entered.headers["location"] == "/"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.test"}])
async def test_no_other_site_signs_anybody_in_or_out(stage: Stage, headers: dict[str, str]) -> None:
    api = await stage.api()
    async with api.stranger() as client:
        entered = await client.post("/sign-in", data={"key": ADMIN_KEY}, headers=headers)
        left = await client.post("/sign-out", headers=headers)
    assert entered.status_code == 403
    assert "set-cookie" not in {**entered.headers, **left.headers}


async def test_a_session_changes_things_only_with_the_token_of_its_own_pages(stage: Stage) -> None:
    api = await stage.api()
    async with signed_in(api) as one, signed_in(api) as another:
        assert (await one.get("/instances")).status_code == 200
        token = await csrf_token(one)
        for wrong in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": await csrf_token(another)}):
            refused = await one.post("/instances", json=BODY, headers=wrong)
            assert (refused.status_code, refused.json()["code"]) == (403, "csrf_token_invalid")
            refused = await one.post("/v1/chat/completions", json={"model": MODEL}, headers=wrong)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf_token_invalid")
        proven = {"X-CSRF-Token": token}
        assert (await one.post("/instances", json=BODY, headers=proven)).status_code == 202
        assert (await one.get("/v1/models")).status_code == 200
        unready = await one.post("/v1/chat/completions", json={"model": MODEL}, headers=proven)
        assert unready.json()["error"]["code"] not in {"csrf_token_invalid", "invalid_api_key"}
    assert (await api.client.post("/instances", json=BODY)).status_code == 202, "a key needs no token"


async def test_a_revoked_key_ends_its_sessions_at_once_and_a_user_stays_a_user(stage: Stage) -> None:
    api = await stage.api()
    key = (await api.client.post("/api-keys", json={"name": "somebody"})).json()
    async with signed_in(api, key["key"]) as client:
        assert (await client.get("/v1/models")).status_code == 200
        assert (await client.get("/instances")).status_code == 403
        assert "It may not see instances" in (await client.get("/")).text
        await api.client.delete(f"/api-keys/{key['id']}")
        assert (await client.get("/v1/models")).status_code == 401
        assert (await client.get("/")).headers["location"] == "/sign-in?next=/"


async def test_cookies_of_other_programs_do_not_hide_a_session(stage: Stage) -> None:
    api = await stage.api()
    async with signed_in(api) as client:
        cookies = f'{{"odd": [1]}}; a[b]=c; {COOKIE}={client.cookies[COOKIE]}; d'
    async with api.stranger() as client:
        assert (await client.get("/instances", headers={"Cookie": cookies})).status_code == 200
        assert (await client.get("/instances", headers={b"Cookie": f"{COOKIE}=é".encode()})).status_code == 401


async def test_a_session_ends_by_itself_and_cannot_be_made_up(stage: Stage) -> None:
    api = await stage.api(session_seconds=3.0)
    async with signed_in(api) as client:
        session = client.cookies[COOKIE]
        client.cookies.clear()

        async def refused(token: str) -> bool:
            return (await client.get("/instances", headers={"Cookie": f"{COOKIE}={token}"})).status_code == 401

        assert not await refused(session)
        assert await refused(("A" if session[0] != "A" else "B") + session[1:])
        await until(lambda: refused(session))


async def test_an_event_stream_ends_with_the_session_that_it_was_asked_for_in(stage: Stage) -> None:
    api = await stage.api(session_seconds=2.0, ping_seconds=0.1)
    instance = await stage.happened(facts.instance_requested())
    for path in ("/events", f"/instances/{instance.id}/events"):
        async with signed_in(api) as client, asyncio.timeout(120), client.stream("GET", path) as told:
            assert told.status_code == 200
            lines = [line async for line in told.aiter_lines()]
            assert ": ping" in lines
    async with asyncio.timeout(120), signed_in(api) as client:
        with_key = client.stream("GET", "/events", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        async with with_key as told:
            lines_of_key = told.aiter_lines()
            session = client.cookies[COOKIE]
            client.cookies.clear()

            async def over() -> bool:
                await anext(lines_of_key)
                return (await client.get("/instances", headers={"Cookie": f"{COOKIE}={session}"})).status_code == 401

            await until(over)
            while await anext(lines_of_key) != ": ping":
                pass


async def test_a_link_signs_in_once_whichever_process_it_comes_to(stage: Stage, window: Window) -> None:
    window.forgives = "status of 403"
    api, other = await stage.api(), await stage.api()
    link = (await api.client.post("/sign-in-links")).json()
    assert (datetime.fromisoformat(link["expires_at"]) - datetime.now(UTC)).total_seconds() == pytest.approx(600, abs=5)
    page = await window.page()
    await page.goto(other.url + link["path"])
    await expect(page.get_by_text("There is no instance yet")).to_be_visible()
    await page.context.clear_cookies()
    await page.goto(api.url + link["path"])
    await expect(page.get_by_role("alert")).to_contain_text("This link has been used")
    assert await page.context.cookies() == []


async def test_links_are_for_administrators_to_make_and_expire(stage: Stage) -> None:
    api = await stage.api(sign_in_link_seconds=0.001)
    async with api.as_(await api.user_key()) as user:
        assert (await user.post("/sign-in-links")).status_code == 403
    async with api.stranger() as client:
        made = (await api.client.post("/sign-in-links")).json()["path"]
        assert (await client.get(made)).status_code == 403
        async with signed_in(api) as session:
            spent = await client.get(f"/sign-in?token={session.cookies[COOKIE]}")
        assert spent.status_code == 403, "a session is no link"


async def test_whoever_follows_a_link_from_another_site_is_still_signed_in(stage: Stage, window: Window) -> None:
    api = await stage.api()
    page = await window.open(api)

    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(text=f'<a href="{api.url}/?status=failed">look</a>', content_type="text/html")

    app = web.Application()
    app.router.add_get("/", elsewhere)
    app.router.add_get("/favicon.ico", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0)
    await site.start()
    await page.goto(f"http://localhost:{runner.addresses[0][1]}/")
    await page.get_by_text("look").click()
    await expect(page).to_have_url(f"{api.url}/?status=failed")
    await expect(page).to_have_title("Fleet · Coldstart")
    await runner.cleanup()


async def test_every_page_says_that_workers_are_without_tls_but_not_to_strangers(stage: Stage, window: Window) -> None:
    with capture_logs() as logged:
        api = await stage.api(worker_tls="off")
    assert [entry for entry in logged if "without TLS" in entry["event"]]
    page = await window.page()
    await page.goto(f"{api.url}/sign-in")
    await expect(page.get_by_label("API key")).to_be_visible()
    await expect(page.get_by_text("Workers without TLS")).to_have_count(0)
    for path in ("/", "/console/usage"):
        page = await window.open(api, path)
        await page.get_by_text("Workers without TLS").click()
        await expect(page.get_by_text("COLDSTART_WORKER_TLS is off")).to_be_visible()
