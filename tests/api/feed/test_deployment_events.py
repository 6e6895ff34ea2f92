"""Deployments in the feed: one stream and one position with the instances, seen by those who own them."""

import asyncio
import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID

from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.feed.standing import Standing
from shared.bus.installation import installation_id
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.journal.deployments import DeploymentJournal
from shared.postgres.connection import connect_pool
from tests.api.feed.test_events import following, types
from tests.api.stage import PATIENCE_S, Stage
from tests.deployments import facts as d
from tests.deployments.facts import a_wish
from tests.deployments.recording import happened
from tests.lifecycle import facts, histories


def journal_of(stage: Stage) -> DeploymentJournal:
    return DeploymentJournal(stage.connection, actor="test", source="/coldstart/test")


async def test_an_event_of_a_deployment_comes_in_its_turn_with_the_deployment_described(stage: Stage) -> None:
    api = await stage.api()
    await stage.happened(facts.instance_requested())
    deployment = await happened(journal_of(stage), d.deployment_created(), d.deployment_degraded(message="no stock"))
    await stage.happened(facts.instance_requested())
    async with following(api, **{"from": "start"}) as follower:
        _, created, degraded, _ = messages = await follower.take(4)
    expected = ["InstanceRequested", "DeploymentCreated", "DeploymentDegraded", "InstanceRequested"]
    assert types(messages) == expected
    data = degraded.json()["data"]
    assert data["deployment"] == deployment.model_dump(mode="json")
    described = {name: data["description"][name] for name in ("name", "status_label", "doing", "version")}
    assert described == {"name": "chat", "status_label": "degraded", "doing": "no stock", "version": 2}
    async with following(api, last=created.id) as follower:
        assert types(await follower.take(2)) == expected[2:]


async def test_a_deployment_is_seen_by_its_organisation_and_by_administrators(stage: Stage) -> None:
    api = await stage.api()
    for slug in ("acme", "other"):
        made = await api.organization(slug)
        wish = a_wish(name=slug).model_copy(update={"organization_id": UUID(made["id"])})
        await happened(journal_of(stage), d.deployment_created(wish=wish))
    await happened(journal_of(stage), d.deployment_created())
    async with following(api, **{"from": "start"}) as follower:
        seen = [message.json()["data"]["deployment"]["wish"]["name"] for message in await follower.take(3)]
    assert seen == ["acme", "other", "chat"]
    async with api.as_(await api.user_key("acme")) as member:
        theirs = dataclasses.replace(api, client=member)
        async with following(theirs, **{"from": "start"}) as follower:
            (first,) = await follower.take(1)
            await happened(journal_of(stage), d.deployment_paused())
            wish = a_wish(name="second").model_copy(update={"organization_id": UUID(_organization(first.json()))})
            await happened(journal_of(stage), d.deployment_created(wish=wish))
            (second,) = await follower.take(1)
    assert [_name(first.json()), _name(second.json())] == ["acme", "second"]


def _name(event: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    return event["data"]["deployment"]["wish"]["name"]


def _organization(event: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    return event["data"]["deployment"]["wish"]["organization_id"]


async def test_the_events_of_an_instance_have_no_deployment_among_them(stage: Stage) -> None:
    api = await stage.api()
    instance = await stage.happened(facts.instance_requested())
    await happened(journal_of(stage), d.deployment_created())
    await stage.happened(facts.instance_created(), instance_id=instance.id)
    async with following(api, f"/instances/{instance.id}/events", **{"from": "start"}) as follower:
        assert types(await follower.take(2)) == ["InstanceRequested", "InstanceCreated"]


class Followed:
    """A follower that remembers all it was given."""

    def __init__(self) -> None:
        self.replaced: list[list[Deployment]] = []
        self.applied: list[Deployment] = []
        self.changed = asyncio.Event()

    def replace(self, deployments: Iterable[Deployment]) -> None:
        self.replaced.append(list(deployments))

    def apply(self, deployment: Deployment) -> None:
        self.applied.append(deployment)
        self.changed.set()


async def test_followers_begin_with_the_deployments_that_are_not_over_and_are_told_of_each_event(stage: Stage) -> None:
    api = await stage.api()
    await stage.projector()
    journal, followed = journal_of(stage), Followed()
    chat = await happened(journal, d.deployment_created(), d.replica_added(), d.deployment_deleted())
    over = a_wish(name="over")
    ended = d.deployment_created(wish=over)
    await happened(journal, ended, d.deployment_deleted(deployment_id=ended.deployment_id))
    instance = await stage.happened(*histories.a_ready_instance())
    await api.projected(instance)
    async with connect_pool(stage.database_url, name="test", max_size=1) as pool:
        installation = await installation_id(stage.connection.jetstream())
        assert installation is not None
        standing: Standing = await ReadModelRepository(pool).standing(installation)
        known = await ReadModelRepository(pool).standing(installation, [ended.deployment_id])
    feed = Feed(stage.connection, resumed=lambda: None, heartbeat_s=0.2, stale_after_s=PATIENCE_S)
    feed.follow_deployments(followed)
    feed.begin(standing)
    assert followed.replaced == [[chat]]
    assert {each.id for each in known.deployments} == {chat.id, ended.deployment_id}
    reading = asyncio.create_task(feed.run())
    try:
        again = await happened(journal, d.deployment_created(revision=2))
        async with asyncio.timeout(PATIENCE_S):
            await followed.changed.wait()
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    assert followed.applied == [again]
    assert (again.status, again.version) == (DeploymentStatus.ACTIVE, 4)
