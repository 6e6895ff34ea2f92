"""The projector adds what somebody asked for to the audit log, once; comparing the tables adds nothing."""

from typing import Any
from uuid import UUID

import pytest

from services.progress.audit_rows import audit_row
from services.progress.projection import Projection
from shared.journal.recorded import Recorded
from shared.postgres.connection import Connection
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.read_model import recorded
from tests.progress.test_projection import INSTALLATION, nothing_is_put_aside


async def projected(database: Connection, events: list[Recorded], **options: Any) -> list[tuple[str, str, UUID]]:
    projection = Projection(database, INSTALLATION, nothing_is_put_aside, **options)
    for event in events:
        await projection.commit([event], event.sequence)
    rows = await database.fetch("SELECT type, actor_name, actor_id FROM audit_log ORDER BY at, type")
    return [(row["type"], row["actor_name"], row["actor_id"]) for row in rows]


async def test_what_is_projected_twice_is_in_the_log_once(database: Connection) -> None:
    await database.execute("TRUNCATE audit_log")
    events = recorded(h.a_terminating_instance())
    asker = (f.SOMEBODY.name, f.SOMEBODY.id)
    expected = [("InstanceRequested", *asker), ("TerminationRequested", *asker)]
    assert sorted(await projected(database, events)) == sorted(expected)
    assert sorted(await projected(database, events)) == sorted(expected)


async def test_tables_that_are_only_compared_add_nothing(database: Connection) -> None:
    await database.execute("TRUNCATE audit_log")
    assert await projected(database, recorded(h.a_terminating_instance()), audits=False) == []


@pytest.mark.parametrize("requested_by", [None, f.SOMEBODY])
def test_an_event_of_which_it_was_not_recorded_who_asked_makes_no_entry(requested_by: Any) -> None:
    [event] = recorded((f.instance_requested(requested_by=requested_by),))
    row = audit_row(event)
    assert (row and row.actor_id) == (requested_by and requested_by.id)
