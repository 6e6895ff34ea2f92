"""The whole service over a real stream and real tables, with a receiver on loopback."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from services.webhooks.app import running
from tests.lifecycle import histories as h
from tests.webhooks.receiver import answering, receiving
from tests.webhooks.stage import Stage, ago, secret_of, verified


async def test_every_event_is_delivered_in_order_and_signed_as_the_specification_says(stage: Stage) -> None:
    async with receiving() as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url)
        count = await stage.author.write(h.a_ready_instance())
        received = await receiver.until_so_many(count)
        found = await stage.until_done(webhook, count)
    assert [one.id for one in received] == await stage.events()
    for one in received:
        assert verified(secret_of(webhook), one.body, one.headers)["type"] == one.type
    assert {(one["state"], one["tries"], one["status"], one["reason"]) for one in found} == {
        ("delivered", 1, 204, None)
    }
    first = received[0].event
    assert (first["type"], first["sequence"], first["timestamp"]) == ("InstanceRequested", "1", first["time"])
    assert received[0].headers["content-type"] == "application/json"


async def test_a_webhook_gets_nothing_from_before_it_was_made(stage: Stage) -> None:
    async with receiving() as receiver, running(stage.settings):
        before = await stage.author.write(h.a_launch())
        await stage.add(receiver.url)
        after = await stage.author.write(h.a_launch())
        received = await receiver.until_so_many(after - before)
    assert [int(one.event["sequence"]) for one in received] == [*range(before + 1, after + 1)]


async def test_what_happened_while_the_service_did_not_run_is_delivered_when_it_does(stage: Stage) -> None:
    async with receiving() as receiver:
        await stage.add(receiver.url)
        first = await stage.author.write(h.a_launch())
        async with running(stage.settings):
            await receiver.until_so_many(first)
        second = await stage.author.write(h.a_launch())
        async with running(stage.settings):
            received = await receiver.until_so_many(second)
    assert [one.id for one in received] == await stage.events()


async def test_filters_by_event_and_model_and_organisation_hold(stage: Stage) -> None:
    ours, theirs = uuid4(), uuid4()
    for slug, its in (("ours", ours), ("theirs", theirs)):
        await stage.database.execute("INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)", its, slug)
    async with receiving() as by_type, receiving() as by_model, receiving() as by_owner, running(stage.settings):
        await stage.add(by_type.url, events=["InstanceReady"])
        await stage.add(by_model.url, models=["other/model"])
        await stage.add(by_owner.url, organization_id=ours)
        await stage.author.write(h.a_ready_instance(organization_id=theirs))
        await stage.author.write(h.a_launch(model="other/model"))
        await stage.author.write(h.a_ready_instance(organization_id=ours))
        length = len(h.a_ready_instance())
        types = [one.type for one in await by_type.until_so_many(2)]
        models = [one.event["data"]["instance"] for one in await by_model.until_so_many(len(h.a_launch()))]
        owners = [one.event["data"]["instance"] for one in await by_owner.until_so_many(length)]
    assert types == ["InstanceReady"] * 2
    assert {one["specification"]["model"] for one in models} == {"other/model"}
    assert {one["specification"]["organization_id"] for one in owners} == {str(ours)}


async def test_a_failed_message_is_tried_again_with_the_same_id_and_those_behind_it_are_not_held_up(
    stage: Stage,
) -> None:
    count = len(h.a_launch())
    async with receiving(answering(500, 204)) as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url)
        await stage.author.write(h.a_launch())
        found = await stage.until_done(webhook, count)
    ids = [one.id for one in receiver.received]
    assert {*ids} == {*await stage.events()}
    assert ids.count(ids[0]) == 2
    assert [one["tries"] for one in found] == [2, *[1] * (count - 1)]
    row = await stage.webhook(webhook)
    assert (row["failures"], row["failing_since"], row["not_before"]) == (0, None, None)


async def test_after_its_last_try_a_message_is_given_up_and_says_why(stage: Stage) -> None:
    async with receiving(answering(503)) as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url, events=["InstanceRequested"])
        await stage.author.write(h.a_launch())
        (found,) = await stage.until_done(webhook, 1)
    assert (found["state"], found["tries"], found["status"], found["reason"]) == (
        "undelivered",
        4,
        503,
        "it answered 503",
    )
    assert len(receiver.received) == 4


async def test_a_receiver_that_is_gone_is_switched_off_at_once_and_others_are_told(stage: Stage) -> None:
    async with receiving(answering(410)) as gone, receiving() as other, running(stage.settings):
        webhook = await stage.add(gone.url)
        await stage.add(other.url, events=["WebhookSwitchedOff"])
        await stage.author.write(h.a_launch())
        found = await stage.until(webhook, lambda row, found: not row["enabled"] and len(found) == len(h.a_launch()))
        (notice,) = await other.until_so_many(1)
    assert (await stage.webhook(webhook))["switched_off"] == "gone"
    assert {one["state"] for one in found} == {"undelivered"}
    assert len(gone.received) == 1
    assert (notice.type, notice.event["data"]["reason"]) == ("WebhookSwitchedOff", "gone")
    assert notice.event["data"]["webhook"]["id"] == str(webhook)


async def test_what_has_failed_for_long_enough_is_switched_off_and_what_has_not_goes_on(stage: Stage) -> None:
    longest = stage.settings.webhooks_switch_off_seconds
    async with receiving(answering(500)) as receiver, running(stage.settings):
        old = await stage.add(receiver.url, failing_since=ago(longest + 1), failures=9, events=["InstanceRequested"])
        young = await stage.add(
            receiver.url, failing_since=ago(longest - 600), failures=9, events=["InstanceRequested"]
        )
        await stage.author.write(h.a_launch())
        await stage.until(old, lambda row, _: row["switched_off"] == "failing")
        (given_up,) = await stage.until_done(young, 1)
    assert given_up["tries"] == 4
    assert (await stage.webhook(young))["enabled"]


async def test_a_receiver_that_asks_for_a_pause_gets_it_for_all_its_messages(stage: Stage) -> None:
    async with receiving(answering(429, headers={"Retry-After": "3600"})) as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url)
        await stage.author.write(h.a_launch())
        found = await stage.until(webhook, lambda _, found: any(one["tries"] for one in found))
        (tried,) = [one for one in found if one["tries"]]
        row = await stage.webhook(webhook)
    hour = timedelta(seconds=3600)
    assert tried["next_try_at"] >= tried["tried_at"] + hour
    assert row["not_before"] >= tried["tried_at"] + hour
    assert len(receiver.received) == 1


async def test_a_slow_receiver_holds_up_nobody_else(stage: Stage) -> None:
    never = asyncio.Event()

    async def hang(_: object) -> None:
        await never.wait()

    async with receiving(hang) as slow, receiving() as quick, running(stage.settings):  # type: ignore[arg-type]
        await stage.add(slow.url)
        await stage.add(quick.url)
        count = await stage.author.write(h.a_ready_instance())
        await quick.until_so_many(count)
        assert len(slow.received) == 1


async def test_with_a_rotated_secret_both_count_for_a_while_and_then_only_the_new_one(stage: Stage) -> None:
    soon, past = datetime.now(UTC) + timedelta(hours=1), ago(1)
    async with receiving() as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url, secret_number=2, former_secret_until=soon, events=["InstanceRequested"])
        await stage.author.write(h.a_launch())
        (first,) = await receiver.until_so_many(1)
        await stage.change(webhook, former_secret_until=past)
        await stage.author.write(h.a_launch())
        _, second = await receiver.until_so_many(2)
    for number in (1, 2):
        assert verified(secret_of(webhook, number), first.body, first.headers)
    assert verified(secret_of(webhook, 2), second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        verified(secret_of(webhook, 1), second.body, second.headers)


async def test_past_events_are_sent_again_from_any_sequence_with_their_ids(stage: Stage) -> None:
    last = await stage.author.write(h.a_ready_instance())
    async with receiving() as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url)
        await stage.add_replay(webhook, after=4, through=last)
        received = await receiver.until_so_many(last - 4)
        await stage.add_replay(webhook, after=last - 1, through=last)
        received = await receiver.until_so_many(last - 4 + 1)
    events = await stage.events()
    assert [one.id for one in received] == [*events[4:], events[-1]]
    assert await stage.database.fetchval("SELECT count(*) FROM webhook_replays") == 0


async def test_a_test_is_sent_once_even_to_what_is_switched_off_and_changes_nothing(stage: Stage) -> None:
    async with receiving(answering(500)) as receiver, running(stage.settings):
        webhook = await stage.add(receiver.url, enabled=False, switched_off="request")
        await stage.add_test(webhook)
        (found,) = await stage.until_done(webhook, 1)
    assert (found["state"], found["tries"], found["status"]) == ("undelivered", 1, 500)
    assert [one.type for one in receiver.received] == ["WebhookTest"]
    assert (await stage.webhook(webhook))["failures"] == 0


async def test_two_processes_deliver_everything_and_each_message_once(stage: Stage) -> None:
    async with receiving() as receiver, running(stage.settings), running(stage.settings):
        webhook = await stage.add(receiver.url)
        count = await stage.author.write_many(*[h.a_ready_instance()] * 4)
        await stage.until_done(webhook, count)
    assert sorted(one.id for one in receiver.received) == sorted(await stage.events())
