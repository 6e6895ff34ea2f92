"""Any events, in any order, any number of times, in batches of any size: the same tables."""

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nats.aio.msg import Msg

from services.progress.projection import Checkpoint, OfAnotherInstallation, Projection, checkpoint
from shared.bus.marks import Mark
from shared.journal.recorded import Recorded
from shared.lifecycle.status import Status
from shared.postgres.connection import Connection
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories
from tests.lifecycle.facts import Facts
from tests.progress.read_model import TABLES, Rows, all_rows, recorded

INSTALLATION = UUID("7c0d9a52-1b7e-4a57-9b6f-4a4f1e2d3c4b")


async def nothing_is_put_aside(message: Msg, reason: str) -> None:
    raise AssertionError(f"{message.subject}: {reason}")


async def projected(database: Connection, *batches: list[Recorded]) -> Rows:
    """The tables after exactly these batches."""
    await database.execute(
        "TRUNCATE instances, timeline, step_durations, deployments, deployment_timeline, checkpoints"
    )
    projection = Projection(database, INSTALLATION, nothing_is_put_aside)
    for batch in batches:
        await projection.commit(batch, max(event.sequence for event in batch))
    return await all_rows(database)


@st.composite
def disturbed(draw: st.DrawFn, history: Facts) -> list[list[Recorded]]:
    """All events of the history, some more than once, in any order, cut into batches anywhere."""
    events = recorded(history)
    events += draw(st.lists(st.sampled_from(events), max_size=8))
    events = draw(st.permutations(events))
    cuts = sorted(draw(st.sets(st.integers(1, len(events)), max_size=4)) | {0, len(events)})
    return [events[begin:end] for begin, end in pairwise(cuts)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), history=histories())
async def test_order_and_repetition_do_not_matter(database: Connection, data: st.DataObject, history: Facts) -> None:
    expected = await projected(database, recorded(history))
    assert await projected(database, *data.draw(disturbed(history))) == expected


@pytest.mark.parametrize("status", Status)
async def test_an_instance_is_shown_as_its_last_event_left_it(database: Connection, status: Status) -> None:
    events = recorded(h.IN_STATUS[status])
    rows = await projected(database, events)
    (instance,) = rows["instances"]
    last = events[-1].instance
    assert instance["snapshot"] == last.model_dump(mode="json")
    assert (instance["status"], instance["version"], instance["sequence"]) == (status, last.version, len(events))
    assert [row["version"] for row in rows["timeline"]] == list(range(1, len(events) + 1))


async def test_a_timeline_row_says_what_happened_and_where_that_led(database: Connection) -> None:
    rows = await projected(database, recorded(h.a_launch()))
    row = rows["timeline"][1]
    assert (row["type"], row["status"], row["progress_percent"], row["step"], row["attempt"], row["actor"]) == (
        "InstanceCreated", "provisioning", 20, "InstanceCreated", 1, "test",
    )  # fmt: skip
    assert row["data"] == {
        "server_id": f.SERVER, "zone": "fr-par-2", "instance_type": "L4-1-24G", "skipped": False, "host_key": None,
        "hourly_price": 0.75, "currency": "EUR",
    }  # fmt: skip
    assert row["occurred_at"] == h.a_launch()[1].occurred_at


def spans(rows: Rows) -> list[tuple[int, str, int, int | None]]:
    """(attempt, step, second it began, second it ended), in order."""

    def second(moment: Any) -> int:
        return int((moment - f.AT).total_seconds())

    durations = [
        (row["attempt"], row["step"], second(row["began_at"]), row["ended_at"] and second(row["ended_at"]))
        for row in rows["step_durations"]
    ]
    return sorted(durations, key=lambda span: span[2])


async def test_a_step_lasts_until_the_next_one_begins(database: Connection) -> None:
    rows = await projected(database, recorded(h.a_launch()))
    assert spans(rows) == [
        (1, "InstanceRequested", 1, 2),
        (1, "InstanceCreated", 2, 4),  # a volume was found meanwhile, which is no step
        (1, "VolumeResized", 4, 5),
        (1, "InstanceStarted", 5, 6),
        (1, "IpAssigned", 6, 8),  # likewise a security group
        (1, "PortsOpened", 8, 9),
        (1, "SshReachable", 9, None),
    ]


async def test_the_last_step_ends_when_the_instance_begins_to_end(database: Connection) -> None:
    history = (*h.a_launch(), f.startup_failed(), f.volume_found(volume_id="late"))
    assert spans(await projected(database, recorded(history)))[-1] == (1, "SshReachable", 9, 10)


async def test_the_next_attempt_has_steps_of_its_own(database: Connection) -> None:
    rows = await projected(database, recorded((*h.a_reinstalled_instance(), f.ssh_install_started(attempt=2))))
    length = len(h.a_reinstalled_instance())
    assert spans(rows)[-3:] == [
        (1, "InstanceReady", length - 1, length),
        (2, "ReinstallRequested", length, length + 1),
        (2, "SshInstallStarted", length + 1, None),
    ]


async def test_steps_that_an_event_does_not_change_are_not_written_again(database: Connection) -> None:
    """Neither locked nor replaced: each would be written to the disk."""

    async def versions() -> set[tuple[Any, ...]]:
        query = "SELECT instance_id, step, ctid::text, xmin::text, xmax::text FROM step_durations"
        return {tuple(row) for row in await database.fetch(query)}

    events = recorded((*h.a_launch(), f.security_group_found(security_group_id="late"), f.ssh_install_started()))
    *launch, within_a_step, next_step = events
    await projected(database, launch)
    before = await versions()
    projection = Projection(database, INSTALLATION, nothing_is_put_aside)
    await projection.commit([within_a_step], within_a_step.sequence)
    assert await versions() == before
    await projection.commit([next_step], next_step.sequence)
    ended, begun = 1, 2
    assert len(before - await versions()) == ended
    assert len(await versions() - before) == begun


async def test_output_with_a_nul_in_it_is_kept_without(database: Connection) -> None:
    failed = f.ssh_install_failed(output=("E: un\0readable",))
    rows = await projected(database, recorded((*h.an_installing_instance(), failed)))
    assert rows["timeline"][-1]["data"]["output"] == ["E: un\N{REPLACEMENT CHARACTER}readable"]


async def test_the_checkpoint_never_goes_back(database: Connection) -> None:
    projection = Projection(database, INSTALLATION, nothing_is_put_aside)
    for sequence in (5, 3):
        await projection.commit([], sequence)
    reached = await checkpoint(database)
    assert reached is not None
    assert reached.sequence == 5


async def test_the_mark_never_goes_back_and_stays_where_none_is_given(database: Connection) -> None:
    projection = Projection(database, INSTALLATION, nothing_is_put_aside)
    for sequence, mark in ((5, Mark(5, 50)), (3, Mark(3, 30)), (8, None)):
        await projection.commit([], sequence, mark)
    assert await checkpoint(database) == Checkpoint(INSTALLATION, 8, Mark(5, 50))


async def test_events_of_another_installation_are_not_mixed_in(database: Connection) -> None:
    events = recorded(h.a_launch())
    before = await projected(database, events[:4])
    with pytest.raises(OfAnotherInstallation):
        await Projection(database, uuid4(), nothing_is_put_aside).commit(events, len(events))
    assert await all_rows(database) == before


@pytest.mark.parametrize("table", ["instances", "timeline"])
async def test_the_statuses_of_a_constraint_are_those_of_the_enum(database: Connection, table: str) -> None:
    definition = await database.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1::text::regclass AND conname = $2",
        table,
        f"{table}_status_check",
    )
    assert set(definition.split("'")[1::2]) == set(Status)


@pytest.mark.parametrize(("column", "value"), [("status", "'sleeping'"), ("progress_percent", "101"), ("attempt", "0")])
async def test_the_tables_refuse_what_cannot_be(database: Connection, column: str, value: str) -> None:
    await projected(database, recorded(h.a_launch()))
    for table in ("instances", "timeline"):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(f"UPDATE {table} SET {column} = {value}")  # noqa: S608


def test_every_projected_table_is_compared() -> None:
    assert set(TABLES) == {"instances", "timeline", "step_durations", "deployments", "deployment_timeline"}
