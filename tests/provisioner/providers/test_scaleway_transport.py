"""Servers that are not Scaleway: proxies' pages, redirections, endless lists. And the settings."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from uuid import uuid4

import pytest
from aiohttp import web
from pydantic import ValidationError
from scaleway_core.bridge.zone import ALL_ZONES

from services.provisioner.provider import Order, TryAgain
from services.provisioner.providers.scaleway import sdk
from services.provisioner.providers.scaleway.provider import ScalewayProvider
from services.provisioner.providers.scaleway.sdk import MOST_PAGES, pages
from services.provisioner.providers.scaleway.settings import GPU_ZONES, ScalewaySettings
from tests.refusing_proxy import refusing_proxy
from tests.socks_proxy import DOMAIN, NOT_ALLOWED, socks_proxy

SECRET = "51a0c0de-0000-4000-8000-00000000c01d"
GIVEN = {"SCW_ACCESS_KEY": "SCWSIMULATED00000000", "SCW_SECRET_KEY": SECRET, "SCW_DEFAULT_PROJECT_ID": str(uuid4())}
ORDER = Order(uuid4(), "unheard", "fr-par-2", "L4-1-24G", b"#cloud-config\n{}\n")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[int]:
    """On this port of loopback."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def in_front_of(handler: Handler) -> AsyncIterator[ScalewayProvider]:
    """An adapter that takes this server for Scaleway."""
    async with served(handler) as port, ScalewayProvider(settings_for(port), uuid4(), 3.0) as provider:
        yield provider


async def unknown_server(_request: web.Request) -> web.Response:
    return web.json_response({"type": "not_found", "message": "none", "resource": "server"}, status=404)


@pytest.mark.parametrize("status", [200, 403, 404])
async def test_a_proxys_page_proves_nothing(status: int) -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>hello</html>", content_type="text/html")

    async with in_front_of(page) as provider:
        with pytest.raises(TryAgain) as misled:
            await provider.get_server("fr-par-2", str(uuid4()))
    assert misled.value.code == "bad_answer"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_without_an_end_is_left(encoding: str) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(headers={"Content-Encoding": encoding})
        await response.prepare(request)
        piece = gzip.compress(b" " * 4_000_000) if encoding == "gzip" else b" " * 1_000_000
        with suppress(OSError):
            while True:
                await response.write(piece)
                sent += len(piece)
        return response

    async with in_front_of(endless) as provider:
        with pytest.raises(TryAgain) as misled:
            await provider.get_server("fr-par-2", str(uuid4()))
    assert misled.value.code == "bad_answer"
    assert sent < sdk.LARGEST_ANSWER + 16_000_000


async def test_a_redirection_is_not_followed_with_our_key() -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("/stolen")

    async with in_front_of(elsewhere) as provider:
        with pytest.raises(TryAgain):
            await provider.get_server("fr-par-2", "some-id")
    assert asked == ["/instance/v1/zones/fr-par-2/servers/some-id"]


def settings_for(port: int) -> ScalewaySettings:
    return ScalewaySettings.model_validate(
        {name.removeprefix("SCW_").lower(): value for name, value in GIVEN.items()}
        | {"api_url": f"http://127.0.0.1:{port}", "image": str(uuid4())}
    )


async def test_a_creation_that_nobody_was_there_to_hear_certainly_had_no_effect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with ScalewayProvider(settings_for(port), uuid4(), 3.0) as provider:
        with pytest.raises(TryAgain) as refused:
            await provider.create_server(ORDER)
    assert (refused.value.code, refused.value.had_no_effect) == ("cloud_unreachable", True)


@pytest.mark.parametrize("settled", ["HTTPS_PROXY", "ALL_PROXY"])
async def test_a_proxy_that_does_not_lead_to_the_cloud_is_named(monkeypatch: pytest.MonkeyPatch, settled: str) -> None:
    with refusing_proxy() as proxy:
        monkeypatch.setenv(settled, proxy)
        settings = settings_for(1).model_copy(update={"api_url": "https://api.example.com"})
        async with ScalewayProvider(settings, uuid4(), 3.0) as provider:
            with pytest.raises(TryAgain) as refused:
                await provider.get_server("fr-par-2", str(uuid4()))
            monkeypatch.setenv(settled, "socks4://proxy:1080")
            with pytest.raises(TryAgain) as unsupported:
                await provider.get_server("fr-par-2", str(uuid4()))
    assert refused.value.message == (
        "the proxy does not lead there: check HTTPS_PROXY, ALL_PROXY and NO_PROXY "
        "(Tunnel connection failed: 403 Not with us)"
    )
    assert "a proxy of the kind socks4, which is not supported" in unsupported.value.message


async def test_a_socks_proxy_leads_to_the_cloud_and_resolves_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(unknown_server) as port:
        with socks_proxy(f"http://127.0.0.1:{port}") as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url("socks5"))
            settings = settings_for(port).model_copy(update={"api_url": "http://api.invalid"})
            async with ScalewayProvider(settings, uuid4(), 3.0) as provider:
                assert await provider.get_server("fr-par-2", str(uuid4())) is None
    assert proxy.asked == [(DOMAIN, "api.invalid", 80)]


async def test_a_creation_that_a_socks_proxy_refuses_had_no_effect_and_the_proxy_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socks_proxy(reply=NOT_ALLOWED) as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url("socks5h"))
        settings = settings_for(1).model_copy(update={"api_url": "https://api.example.com"})
        async with ScalewayProvider(settings, uuid4(), 3.0) as provider:
            with pytest.raises(TryAgain) as refused:
                await provider.create_server(ORDER)
    assert (refused.value.code, refused.value.had_no_effect) == ("cloud_unreachable", True)
    assert refused.value.message == (
        "the proxy does not lead there: check HTTPS_PROXY, ALL_PROXY and NO_PROXY "
        "(0x02: Connection not allowed by ruleset)"
    )


async def test_a_cloud_on_loopback_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy:1080")
    async with in_front_of(unknown_server) as provider:
        assert await provider.get_server("fr-par-2", str(uuid4())) is None


async def test_a_creation_that_got_no_connection_in_time_certainly_had_no_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sdk, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        for _ in range(3):  # more than the backlog: Linux answers no further ones
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        async with ScalewayProvider(settings_for(full.getsockname()[1]), uuid4(), 8.0) as provider:
            with pytest.raises(TryAgain) as late:
                await provider.create_server(ORDER)
    assert (late.value.code, late.value.had_no_effect) == ("cloud_unreachable", True)
    assert "no connection in time" in late.value.message


@pytest.mark.parametrize("answers", ["never", "by hanging up"])
async def test_a_creation_that_was_sent_may_have_had_its_effect(answers: str) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answers == "never":
            await reader.read()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with ScalewayProvider(settings_for(port), uuid4(), 0.5) as provider:
            with pytest.raises(TryAgain) as unheard:
                await provider.create_server(ORDER)
    assert unheard.value.had_no_effect is False


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        ([("inet6", "2001:db8::1"), ("inet", "203.0.113.1")], "203.0.113.1"),
        ([("inet6", "2001:db8::1")], "2001:db8::1"),
        ([], None),
    ],
)
async def test_a_server_is_reached_by_ipv4_or_else_by_ipv6(
    addresses: list[tuple[str, str]], chosen: str | None
) -> None:
    ips = [{"id": f"id of {address}", "address": address, "family": family} for family, address in addresses]

    async def show(_request: web.Request) -> web.Response:
        shown = {"id": "some-id", "state": "running", "zone": "fr-par-2", "tags": [], "volumes": {}, "public_ips": ips}
        return web.json_response({"server": shown})

    async with in_front_of(show) as provider:
        server = await provider.get_server("fr-par-2", "some-id")
    assert server is not None
    assert (server.ip_address, server.address_id) == (chosen, chosen and f"id of {chosen}")


async def test_a_server_that_ignores_the_page_does_not_hold_us_for_ever() -> None:
    async def always_the_same(_request: web.Request) -> web.Response:
        return web.json_response({"servers": []}, headers={"X-Total-Count": "7"})

    async with in_front_of(always_the_same) as provider:
        assert await provider.tagged_servers() == []
    with pytest.raises(TryAgain):
        pages(lambda _page: (["the same"], 10 * MOST_PAGES))


async def test_a_list_that_ignores_the_tag_it_was_asked_for_gives_us_nobody_elses_things() -> None:
    foreign = {"id": "theirs", "zone": "fr-par-2", "tags": ["coldstart", f"coldstart:installation:{uuid4()}"]}
    rented = {**foreign, "state": "running", "volumes": {}, "public_ips": []}
    asked = set[str]()

    async def everything(request: web.Request) -> web.Response:
        kind = request.path.rpartition("/")[2]
        asked.add(kind)
        shown = rented if kind == "servers" else foreign
        return web.json_response({kind: [shown], "total_count": 1}, headers={"X-Total-Count": "1"})

    async with in_front_of(everything) as provider:
        assert await provider.tagged_resources() == []
        assert await provider.tagged_servers() == []
        assert await provider.machine_images() == []
    assert asked == {"volumes", "snapshots", "security_groups", "ips", "servers", "images"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_settings_are_scaleways_own(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SCW_DEFAULT_ZONE", "pl-waw-2")
    environment.setenv("SCW_API_URL", "https://api.scaleway.com/")
    settings = ScalewaySettings()
    assert settings.zones_in_order == ("pl-waw-2", "fr-par-2", "fr-par-1")
    assert settings.api_url == "https://api.scaleway.com"
    assert set(GPU_ZONES) <= set(ALL_ZONES)


def test_an_empty_variable_is_an_absent_one(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SCW_API_URL", "")
    environment.setenv("SCW_DEFAULT_ZONE", "")
    assert ScalewaySettings().api_url == "https://api.scaleway.com"
    environment.setenv("SCW_ACCESS_KEY", "")
    with pytest.raises(ValidationError, match="access_key"):
        ScalewaySettings()


def test_a_malformed_secret_is_not_repeated(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SCW_SECRET_KEY", "not-a-uuid-but-secret")
    with pytest.raises(ValidationError) as wrong:
        ScalewaySettings()
    assert "not-a-uuid-but-secret" not in str(wrong.value)
