"""Costs by organisation and day agree, to the cent, with the costs of the instances."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.lifecycle import events as e
from shared.lifecycle.cost import cost
from tests.api.stage import Stage, until
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

EVENING = datetime(2026, 1, 1, 22, 0, tzinfo=UTC)
ACME = UUID("11111111-1111-4111-8111-111111111111")
PERIOD = {"from": "2026-01-01", "to": "2026-01-31"}


def on_from(since: datetime, *after: Any, price: float | None = 0.75, **specification: Any) -> Facts:
    requested = f.instance_requested(specification=f.a_specification(**specification))
    return (requested, f.instance_created(hourly_price=price), f.instance_started(occurred_at=since), *after)


def gone(at: datetime) -> Facts:
    return (f.termination_requested(), f.instance_terminated(occurred_at=at))


async def costs(stage: Stage, *histories: Facts) -> list[dict[str, Any]]:
    await stage.projector()
    api = await stage.api()
    made = [await stage.happened(*history) for history in histories]

    async def projected() -> bool:
        shown = (await api.client.get("/instances", params={"limit": 50})).json()["items"]
        return {(item["id"], item["version"]) for item in shown} == {(str(one.id), one.version) for one in made}

    await until(projected)
    answer = await api.client.get("/costs", params=PERIOD)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    total = sum(cost(instance, datetime(2026, 2, 1, tzinfo=UTC)) or 0.0 for instance in made)
    assert sum(item["cost"] for item in items) == pytest.approx(total, abs=0.001)
    return items


async def test_a_night_is_split_at_midnight(stage: Stage) -> None:
    items = await costs(stage, on_from(EVENING, *gone(EVENING + timedelta(hours=5))))
    assert [(item["day"], item["cost"]) for item in items] == [("2026-01-02", 2.25), ("2026-01-01", 1.5)]
    assert {item["currency"] for item in items} == {"EUR"}


async def test_each_organisation_has_its_own_sum_and_what_is_unpriced_has_none(stage: Stage) -> None:
    end = gone(EVENING + timedelta(hours=1))
    items = await costs(
        stage,
        on_from(EVENING, *end),
        on_from(EVENING, *end, price=2.0),
        on_from(EVENING, *end, price=3.0, organization_id=str(ACME)),
        on_from(EVENING, *end, price=None),
    )
    assert {item["organization_id"]: item["cost"] for item in items} == {None: 2.75, str(ACME): 3.0}


async def test_what_is_unpriced_is_counted_where_it_had_a_server_on(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    end = gone(EVENING + timedelta(hours=3))
    never_on = f.instance_requested(specification=f.a_specification()), f.instance_created(hourly_price=None)
    for history in (
        on_from(EVENING, *end),
        on_from(EVENING, *end, price=None),
        on_from(EVENING, price=None, organization_id=str(ACME)),
        never_on,
    ):
        await api.projected(await stage.happened(*history))

    async def unpriced(**period: str) -> int:
        answer = (await api.client.get("/costs", params=period)).json()
        return int(answer["unpriced"])

    assert await unpriced(**{"from": "2025-12-01", "to": "2025-12-31"}) == 0
    assert await unpriced(**{"from": "2026-01-01", "to": "2026-01-01"}) == 2
    assert await unpriced(**{"from": "2026-01-02", "to": "2026-01-02"}) == 2
    assert await unpriced(**{"from": "2026-01-03", "to": "2026-01-03"}) == 1


async def test_the_hours_when_somebody_had_it_off_are_not_counted(stage: Stage) -> None:
    off = f.server_stopped(occurred_at=EVENING + timedelta(hours=1))
    on = f.server_restarted(occurred_at=EVENING + timedelta(hours=4))
    items = await costs(stage, on_from(EVENING, off, on, *gone(EVENING + timedelta(hours=5))))
    assert [(item["day"], item["cost"]) for item in items] == [("2026-01-02", 0.75), ("2026-01-01", 0.75)]


async def test_what_is_still_on_costs_until_now(stage: Stage) -> None:
    await stage.projector()
    api = await stage.api()
    await stage.happened(*on_from(datetime.now(UTC) - timedelta(minutes=90)))

    async def told() -> bool:
        items = (await api.client.get("/costs")).json()["items"]
        return bool(abs(sum(item["cost"] for item in items) - 1.125) < 0.01)

    await until(told)


async def test_a_period_that_ends_before_it_begins_or_never_ends_is_refused(stage: Stage) -> None:
    api = await stage.api()
    for period in ({"from": "2026-02-01", "to": "2026-01-01"}, {"from": "2020-01-01"}, {"from": "yesterday"}):
        answer = await api.client.get("/costs", params=period)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "from"), period


def kept_from(since: datetime, *after: Any, price: float | None = 73.0, owner: UUID | None = None) -> Facts:
    """A machine image; its build cost nothing."""
    made = f.instance_created(hourly_price=None)
    history = [
        made if isinstance(fact, e.InstanceCreated) else fact for fact in h.a_sealed_machine(organization_id=owner)
    ]
    stored = f.machine_image_stored(occurred_at=since, monthly_price=price, currency="EUR")
    return (*history, stored, *after)


async def test_machine_images_cost_for_as_long_as_they_are_kept(stage: Stage) -> None:
    deleted = f.machine_image_deleted(occurred_at=EVENING + timedelta(hours=5))
    items = await costs(
        stage,
        kept_from(EVENING, deleted),
        kept_from(EVENING, deleted, owner=ACME),
        kept_from(EVENING, deleted, price=None),
        on_from(EVENING, *gone(EVENING + timedelta(hours=1))),
    )
    told = {(item["day"], item["organization_id"]): (item["cost"], item["machine_images"]) for item in items}
    assert told == {
        ("2026-01-02", None): (0.0, 0.3),
        ("2026-01-02", str(ACME)): (0.0, 0.3),
        ("2026-01-01", None): (0.75, 0.2),
        ("2026-01-01", str(ACME)): (0.0, 0.2),
    }
