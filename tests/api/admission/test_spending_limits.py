"""Spending limits that are reached while instances run: recorded once, with a drain if that was chosen."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.api.admission.launches import Launches
from services.api.admission.spending_limits import LimitChecks, over_an_hour
from services.api.catalogue.access_cache import AccessCache
from services.api.tenancy.repository import OrganizationRepository
from services.api.usage.costs import CostRepository
from shared.journal.journal import Journal
from shared.lifecycle.events import SpendingLimitReached
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from shared.offers.instance_types import InstanceTypes
from shared.postgres.connection import connect_pool
from tests.api.control.test_costs import kept_from
from tests.api.stage import RunningApi, Stage, until
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import given

AT = datetime(2026, 1, 20, 12, 0, tzinfo=UTC)


@dataclass
class Replicas:
    """The checks of two apis on one stream and one database. `api` prepares the test."""

    stage: Stage
    api: RunningApi
    access: AccessCache
    checks: tuple[LimitChecks, LimitChecks]

    async def check(self, at: datetime = AT) -> None:
        """Both at once, twice."""
        await self.access.load()
        for _ in range(2):
            await asyncio.gather(*(one.check(at) for one in self.checks))

    async def running(self, organization: dict[str, Any], *more: Any, hours: float = 10) -> Instance:
        """An instance whose server has been on for this long at AT, and these later facts."""
        specification = f.a_specification(organization_id=organization["id"])
        on = AT - timedelta(hours=hours)
        instance = await self.stage.happened(
            f.instance_requested(specification=specification, occurred_at=on),
            f.instance_created(hourly_price=1.0),
            f.instance_started(occurred_at=on),
            *more,
        )
        await self.api.projected(instance)
        return instance

    async def told(self, instance: Instance) -> list[SpendingLimitReached]:
        history = [recorded.event async for recorded in self.stage.journal.history(instance.id)]
        return [event for event in history if isinstance(event, SpendingLimitReached)]

    async def now(self, instance: Instance) -> Instance:
        return await self.stage.journal.load(instance.id)


@pytest.fixture
async def replicas(stage: Stage) -> AsyncGenerator[Replicas]:
    await stage.projector()
    api = await stage.api()
    async with connect_pool(stage.database_url, name="test") as pool:
        access = AccessCache(
            SecretStr(stage.database_url), pool, admin_key=None, refresh_s=60, on_projected=lambda: None
        )
        costs, organizations = CostRepository(pool), OrganizationRepository(pool)
        types = InstanceTypes(stage.connection.jetstream(), replicas=1)
        journal = Journal(stage.connection, actor="api", source="/coldstart/test")

        def checks() -> LimitChecks:
            return LimitChecks(access, costs, Launches(access, organizations, costs), types, journal)

        yield Replicas(stage, api, access, (checks(), checks()))


READY = (f.ip_assigned(), f.ssh_install_completed(), f.instance_ready())


async def test_a_month_s_limit_is_told_once_to_each_running_instance_and_changes_nothing(replicas: Replicas) -> None:
    acme = await replicas.api.organization("acme", spend_per_month=15.0)
    running = [await replicas.running(acme, *READY), await replicas.running(acme)]
    failed = await replicas.running(acme, f.server_lost())
    await replicas.check()
    for instance in running:
        (told,) = await replicas.told(instance)
        assert told == told.model_copy(
            update={"period": "month", "month": "2026-01", "limit": 15.0, "spent": 20.0, "currency": "EUR"}
        )
        after = await replicas.now(instance)
        assert (after.status, after.progress_percent) == (instance.status, instance.progress_percent)
    assert await replicas.told(failed) == []


async def test_the_machine_images_of_an_organisation_count_towards_its_month(replicas: Replicas) -> None:
    acme = await replicas.api.organization("acme", spend_per_month=10.5)
    running = await replicas.running(acme, *READY)
    await replicas.check()
    assert await replicas.told(running) == []
    for owner in (None, UUID(acme["id"])):
        kept = kept_from(AT - timedelta(hours=10), price=73.0, owner=owner)
        await replicas.api.projected(await replicas.stage.happened(*kept))
        await replicas.check()
        assert [event.spent for event in await replicas.told(running)] == ([] if owner is None else [11.0])


async def test_another_month_and_another_limit_are_told_anew(replicas: Replicas) -> None:
    acme = await replicas.api.organization("acme", spend_per_month=5.0)
    instance = await replicas.running(acme, *READY)
    await replicas.check()
    await replicas.api.client.patch("/organizations/acme", json={"spend_per_month": 6})
    await replicas.check()
    await replicas.check(AT + timedelta(days=30))
    told = [(event.month, event.limit) for event in await replicas.told(instance)]
    assert told == [("2026-01", 5.0), ("2026-01", 6.0), ("2026-02", 6.0)]


async def test_below_its_limits_and_without_any_nothing_is_told(replicas: Replicas) -> None:
    below = await replicas.api.organization("below", spend_per_month=10.1, spend_per_hour=1.0, at_limit="drain")
    without = await replicas.api.organization("without", at_limit="drain")
    instances = [await replicas.running(organization, *READY) for organization in (below, without)]
    await replicas.check()
    for instance in instances:
        assert await replicas.now(instance) == instance


async def test_when_a_month_s_limit_is_to_drain_what_serves_is_drained_and_what_starts_terminated(
    replicas: Replicas,
) -> None:
    acme = await replicas.api.organization("acme", spend_per_month=1.0, at_limit="drain")
    serving = await replicas.running(acme, *READY)
    away = await replicas.running(acme, *READY, f.health_lost())
    starting = await replicas.running(acme)
    everybody_s = await replicas.stage.ready("127.0.0.1")
    await replicas.check()
    for instance, status in (
        (serving, Status.DRAINING),
        (away, Status.DRAINING),
        (starting, Status.TERMINATING),
    ):
        after = await replicas.now(instance)
        assert (after.status, after.version) == (status, instance.version + 2)
        assert len(await replicas.told(instance)) == 1
    assert await replicas.now(everybody_s) == everybody_s


async def test_past_an_hour_s_limit_all_are_told_and_as_few_of_the_newest_drained_as_will_do(
    replicas: Replicas,
) -> None:
    acme = await replicas.api.organization("acme", spend_per_hour=2.0, at_limit="drain")
    oldest, old, new = [await replicas.running(acme, *READY, hours=hours) for hours in (3, 2, 1)]
    await replicas.check()
    for instance in (oldest, old, new):
        (told,) = await replicas.told(instance)
        assert (told.period, told.limit, told.spent) == ("hour", 2.0, 3.0)
    assert [(await replicas.now(one)).status for one in (oldest, old, new)] == ["ready", "ready", "draining"]
    await replicas.api.projected(await replicas.now(new))
    await replicas.check()
    assert [(await replicas.now(one)).status for one in (oldest, old)] == ["ready", "ready"]


async def test_what_is_wrong_with_one_organisation_does_not_keep_the_others_from_being_looked_at(
    replicas: Replicas,
) -> None:
    later = await replicas.api.organization("later", spend_per_month=1.0)
    instance = await replicas.running(later, *READY)
    await replicas.api.organization("first", spend_per_month=1.0)
    async with connect_pool(replicas.stage.database_url, name="test") as pool:
        await pool.execute(
            "INSERT INTO instances SELECT (jsonb_populate_record(one, $1)).* FROM instances AS one LIMIT 1",
            await of_another_stream(replicas, instance),
        )
    with capture_logs() as logs:
        await replicas.check()
    assert [entry["organization"] for entry in logs if entry["event"] == "spending limits not checked"] == ["first"] * 4
    assert len(await replicas.told(instance)) == 1


async def of_another_stream(replicas: Replicas, instance: Instance) -> dict[str, Any]:
    """A row of the read model whose instance the journal does not know."""
    await replicas.access.load()
    organization = replicas.access.organizations.called("first")
    assert organization is not None
    specification = instance.specification.model_copy(update={"organization_id": organization.id})
    other = instance.model_copy(update={"id": uuid4(), "specification": specification})
    snapshot = other.model_dump(mode="json")
    return {"id": str(other.id), "organization_id": str(organization.id), "snapshot": snapshot}


async def test_an_api_looks_by_itself(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api(limits_check_seconds=0.05)
    acme = await api.organization("acme", spend_per_month=0.0, at_limit="drain")
    instance = await stage.ready("127.0.0.1", organization_id=acme["id"])

    async def ended() -> bool:
        """End it by a drain, or before it was ready."""
        return (await stage.journal.load(instance.id)).status in {Status.DRAINING, Status.TERMINATING}

    await until(ended)


def test_each_currency_is_held_against_an_hour_s_limit_by_itself() -> None:
    def one(number: int, price: float, currency: str) -> Instance:
        created = f.instance_created(hourly_price=price, currency=currency)
        at = h.a_launch()[0].occurred_at + timedelta(minutes=number)
        return given(f.instance_requested(), created, f.instance_started()).model_copy(
            update={"id": UUID(int=number), "created_at": at}
        )

    instances = [one(1, 2.0, "EUR"), one(2, 2.0, "USD"), one(3, 0.5, "EUR"), one(4, 0.5, "EUR")]
    assert over_an_hour(3.0, instances, {}) == []
    (reached,) = over_an_hour(2.4, instances, {})
    assert (reached.currency, reached.spent) == ("EUR", 3.0)
    assert [instance.id.int for instance in reached.too_many] == [4, 3]
