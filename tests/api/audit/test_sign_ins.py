"""Who signed in to the console, and whose key or link was refused, without either."""

import json
from typing import Any

import httpx

from services.api.access import wrong_keys
from tests.api.audit.reading import ADMINISTRATOR, entries
from tests.api.stage import ADMIN_KEY, Stage

WRONG = "csk_somebody-guesses-this-key"


async def signed_in_with(client: httpx.AsyncClient, key: str, **headers: str) -> int:
    return (await client.post("/sign-in", data={"key": key}, headers=headers)).status_code


def told(entry: dict[str, Any]) -> tuple[str, str, str, str | None]:
    return entry["type"], entry["actor"]["kind"], entry["details"]["by"], entry["details"].get("reason")


async def test_a_sign_in_by_key_or_link_is_told_with_its_key_s_id_and_address(stage: Stage) -> None:
    api = await stage.api()
    link = (await api.client.post("/sign-in-links")).json()["path"]
    async with api.stranger() as one, api.stranger() as another:
        assert await signed_in_with(one, ADMIN_KEY) == 303
        assert (await another.get(link)).status_code == 200
    newest = await entries(api.client, type="SignedIn")
    assert [told(entry) for entry in newest] == [("SignedIn", "session", kind, None) for kind in ("link", "key")]
    assert {entry["actor"]["id"] for entry in newest} == {ADMINISTRATOR["id"]}
    assert {entry["details"]["address"] for entry in newest} == {"127.0.0.1"}
    assert {entry["subject"]["kind"] for entry in newest} == {"console"}


async def test_what_is_refused_is_told_with_its_reason_and_no_part_of_it(stage: Stage) -> None:
    api = await stage.api()
    link = (await api.client.post("/sign-in-links")).json()["path"]
    async with api.stranger() as client:
        await client.get(link)
        assert (await client.get(link)).status_code == 403
        assert await signed_in_with(client, WRONG) == 403
        assert await signed_in_with(client, ADMIN_KEY, **{"Sec-Fetch-Site": "cross-site"}) == 403
    refused = await entries(api.client, type="SignInRefused")
    assert [told(entry) for entry in refused] == [
        ("SignInRefused", "stranger", "key", "other_page"),
        ("SignInRefused", "stranger", "key", "wrong"),
        ("SignInRefused", "stranger", "link", "spent"),
    ]
    assert {(entry["actor"]["id"], entry["actor"]["name"]) for entry in refused} == {(None, "127.0.0.1")}
    everything = json.dumps(await entries(api.client))
    for secret in (WRONG, ADMIN_KEY, link.partition("=")[2]):
        assert not [part for part in (secret, secret[:10], secret[-10:]) if part in everything]


async def test_a_member_sees_its_organisation_s_sign_ins_and_no_refused_ones(stage: Stage) -> None:
    api = await stage.api()
    await api.organization("acme")
    key = await api.user_key("acme")
    async with api.stranger() as client:
        assert await signed_in_with(client, ADMIN_KEY) == 303
        assert await signed_in_with(client, WRONG) == 403
        assert await signed_in_with(client, key) == 303
    async with api.as_(key) as member:
        seen = await entries(member)
    assert [(entry["type"], entry["actor"]["name"]) for entry in seen] == [
        ("SignedIn", "somebody"),
        ("ApiKeyCreated", "COLDSTART_ADMIN_KEY"),
        ("OrganizationCreated", "COLDSTART_ADMIN_KEY"),
    ]


async def test_a_flood_of_wrong_keys_is_told_once_and_leaves_few_entries(stage: Stage, monkeypatch: Any) -> None:
    monkeypatch.setattr(wrong_keys, "_LONGEST_S", -1.0)  # whoever would have to wait is refused at once
    api = await stage.api()
    async with api.stranger() as client:
        statuses = [await signed_in_with(client, WRONG) for _ in range(30)]
    assert statuses.count(429) >= 15
    found = [entry["type"] for entry in await entries(api.client)]
    assert found.count("SignInsLimited") == 1
    assert found.count("SignInRefused") == statuses.count(403)
    assert len(found) <= 20


async def test_nobody_is_locked_out_because_it_cannot_be_told(stage: Stage, monkeypatch: Any) -> None:
    async def away(*_: object) -> None:
        raise OSError("the database is away")

    api = await stage.api()
    monkeypatch.setattr("services.api.audit.repository.AuditRepository.add", away)
    async with api.stranger() as client:
        assert await signed_in_with(client, ADMIN_KEY) == 303
        assert await signed_in_with(client, WRONG) == 403
    assert await entries(api.client) == []
