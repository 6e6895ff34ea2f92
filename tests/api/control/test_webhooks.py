"""Webhooks are declared over HTTP; the service that delivers is not needed for that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.stage import RunningApi, Stage, until
from tests.lifecycle import histories as h

URL = "https://receiver.example/hook"


async def made(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post("/webhooks", json={"url": URL, **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def refused(client: httpx.AsyncClient, **body: Any) -> tuple[int, str, str]:
    answer = await client.post("/webhooks", json={"url": URL, **body})
    problem = answer.json()
    return answer.status_code, problem["code"], " ".join(error["pointer"] for error in problem.get("errors", ()))


async def test_a_webhook_is_made_shown_changed_and_deleted_and_its_secret_is_shown_once(stage: Stage) -> None:
    api = await stage.api()
    webhook = await made(api.client, events=["InstanceReady"], description="for chat")
    secret = webhook.pop("secret")
    assert Webhook(secret)
    assert secret.startswith("whsec_")
    assert (webhook["status"], webhook["organization"], webhook["waiting"]) == ("active", None, 0)
    at = f"/webhooks/{webhook['id']}"
    assert (await api.client.get(at)).json() == webhook
    assert (await api.client.get("/webhooks")).json() == {"items": [webhook], "next_cursor": None}
    changed = (await api.client.patch(at, json={"events": None, "models": ["a/b"], "enabled": False})).json()
    assert (changed["events"], changed["models"], changed["description"]) == (None, ["a/b"], "for chat")
    assert (changed["status"], changed["switched_off"]) == ("off", "request")
    back = (await api.client.patch(at, json={"enabled": True})).json()
    assert (back["status"], back["switched_off"], back["models"]) == ("active", None, ["a/b"])
    assert (await api.client.delete(at)).status_code == 204
    assert (await api.client.get(at)).json()["code"] == "webhook_not_found"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"url": "ftp://receiver.example"}, "/url"),
        ({"url": "https://"}, "/url"),
        ({"url": "https://name:word@receiver.example"}, "/url"),
        ({"url": "https://receiver.example/#part"}, "/url"),
        ({"url": "https://[::1"}, "/url"),
        ({"url": "https://receiver.example:99999"}, "/url"),
        ({"events": ["InstanceRaedy"]}, "/events/0"),
        ({"events": []}, "/events"),
        ({"organization": "nobody"}, "/organization"),
        ({"organizations": ["nobody"]}, "/organizations/0"),
    ],
)
async def test_what_cannot_be_sent_to_is_refused(stage: Stage, body: dict[str, Any], pointer: str) -> None:
    api = await stage.api()
    assert await refused(api.client, **body) == (422, "invalid_request", pointer)


async def test_members_manage_their_own_and_know_of_no_other(stage: Stage) -> None:
    api = await stage.api()
    for slug in ("acme", "other"):
        await api.organization(slug)
    installation, others = await made(api.client), await made(api.client, organization="other")
    async with api.as_(await api.user_key("acme")) as member:
        own = await made(member)
        assert own["organization"] == "acme"
        assert [one["id"] for one in (await member.get("/webhooks")).json()["items"]] == [own["id"]]
        for foreign in (installation, others):
            at = f"/webhooks/{foreign['id']}"
            answers = [
                await member.get(at),
                await member.patch(at, json={"enabled": False}),
                await member.delete(at),
                await member.get(f"{at}/deliveries"),
                *[await member.post(f"{at}/{verb}") for verb in ("test", "rotate-secret")],
                await member.post(f"{at}/replay", json={"from_sequence": 1}),
            ]
            assert {answer.status_code for answer in answers} == {404}
        assert await refused(member, organization="other") == (403, "forbidden", "")
        assert await refused(member, organizations=["acme"]) == (422, "invalid_request", "/organizations")
    async with api.as_(await api.user_key()) as nobody:
        assert (await nobody.get("/webhooks")).status_code == 403
    assert len((await api.client.get("/webhooks")).json()["items"]) == 3
    only = (await api.client.get("/webhooks", params={"organization": "acme"})).json()["items"]
    assert [one["id"] for one in only] == [own["id"]]
    chosen = await made(api.client, organizations=["acme"])
    assert chosen["organizations"] == ["acme"]
    assert (await api.client.patch(f"/webhooks/{chosen['id']}", json={"organizations": ["other"]})).json()[
        "organizations"
    ] == ["other"]


async def test_a_rotated_secret_is_new_and_the_former_one_counts_for_a_day(stage: Stage) -> None:
    api = await stage.api()
    webhook = await made(api.client)
    rotated = (await api.client.post(f"/webhooks/{webhook['id']}/rotate-secret")).json()
    assert rotated["secret"] != webhook["secret"]
    left = datetime.fromisoformat(rotated["former_secret_until"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)


async def test_a_test_waits_to_be_sent_and_is_in_the_list(stage: Stage) -> None:
    api = await stage.api()
    webhook = await made(api.client)
    at = f"/webhooks/{webhook['id']}"
    first, second = [(await api.client.post(f"{at}/test")).json() for _ in range(2)]
    assert (first["kind"], first["state"], first["tries"]) == ("test", "pending", 0)
    page = (await api.client.get(f"{at}/deliveries", params={"limit": 1})).json()
    assert [one["id"] for one in page["items"]] == [second["id"]]
    rest = (await api.client.get(f"{at}/deliveries", params={"cursor": page["next_cursor"]})).json()
    assert [one["id"] for one in rest["items"]] == [first["id"]]
    assert (await api.client.get(f"{at}/deliveries", params={"state": "undelivered"})).json()["items"] == []
    assert (await api.client.get(at)).json()["waiting"] == 2


async def test_a_replay_begins_at_a_place_or_a_time_and_not_for_what_is_switched_off(stage: Stage) -> None:
    api = await stage.api()
    before = datetime.now(UTC)
    await stage.happened(*h.a_launch())
    last = await stage.last_sequence()
    webhook = await made(api.client)
    at = f"/webhooks/{webhook['id']}"
    await until_read(api, at, last)

    async def replayed(**body: Any) -> tuple[int, ...]:
        answer = (await api.client.post(f"{at}/replay", json=body)).json()
        return answer["from_sequence"], answer["through_sequence"]

    assert await replayed(from_sequence=3) == (3, last)
    assert await replayed(from_sequence=last + 100) == (last + 1, last)
    assert await replayed(from_time=before.isoformat()) == (1, last)
    assert await replayed(from_time="2999-01-01T00:00:00Z") == (last + 1, last)
    both = {"from_sequence": 1, "from_time": before.isoformat()}
    for wrong in ({}, both):
        assert (await api.client.post(f"{at}/replay", json=wrong)).status_code == 422
    await api.client.patch(at, json={"enabled": False})
    answer = await api.client.post(f"{at}/replay", json={"from_sequence": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_switched_off")


async def test_there_are_so_many_webhooks_of_each_owner(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.control.webhooks.MOST", 1)
    api = await stage.api()
    await api.organization("acme")
    await made(api.client)
    await made(api.client, organization="acme")
    assert await refused(api.client) == (409, "too_many_webhooks", "")


async def until_read(api: RunningApi, at: str, sequence: int) -> None:
    """Until the api has read the stream up to there."""

    async def has_read() -> bool:
        answer = await api.client.post(f"{at}/replay", json={"from_sequence": 1})
        return bool(answer.json()["through_sequence"] >= sequence)

    await until(has_read)
