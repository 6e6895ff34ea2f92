"""Whatever is derived from the facts is what the facts give; where it is not, the difference is named."""

import json
from uuid import uuid4

import pytest
from nats.js.api import RawStreamMsg

from services.progress.__main__ import print_verdict
from services.progress.app import running, verify_once
from services.progress.shadow import shadow_tables
from services.progress.verify import TABLES, Verdict
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE, append_subject
from shared.lifecycle.events import event_id
from shared.lifecycle.fold import evolve
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts, given
from tests.progress.read_model import all_rows
from tests.progress.service import Stage, malformed


async def projected(stage: Stage, *histories: Facts) -> None:
    async with running(stage.settings):
        await stage.watcher.reached(await stage.author.write_many(*histories))


async def test_every_history_verifies_and_nothing_is_changed_by_it(stage: Stage) -> None:
    await projected(stage, *h.IN_STATUS.values())
    rows = await all_rows(stage.database)
    verdict = await verify_once(stage.settings)
    last = await stage.author.last_sequence()
    assert verdict == Verdict(last, len(h.IN_STATUS), behind=0, unreadable=(), differences=())
    assert await all_rows(stage.database) == rows
    assert await stage.database.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'rebuilding'") == 0


@pytest.mark.parametrize(
    ("damage", "difference"),
    [
        ("UPDATE instances SET progress_percent = 1", "instances of {0}: progress_percent is 1, the facts give 100"),
        ("DELETE FROM timeline WHERE version = 3", "timeline of {0}: missing"),
        ("UPDATE timeline SET actor = 'somebody' WHERE version = 2",
         "timeline of {0}: actor is 'somebody', the facts give 'test'"),
        ("UPDATE step_durations SET step = 'Elsewhere' WHERE step = 'InstanceReady'",
         "step_durations of {0}: should not be there|step_durations of {0}: missing"),
    ],
)  # fmt: skip
async def test_each_row_that_differs_is_named(stage: Stage, damage: str, difference: str) -> None:
    await projected(stage, h.a_ready_instance())
    (instance_id,) = (row["id"] for row in await stage.database.fetch("SELECT id FROM instances"))
    await stage.database.execute(damage)
    assert set((await verify_once(stage.settings)).differences) == set(difference.format(instance_id).split("|"))


async def test_tables_to_compare_with_have_the_columns_and_primary_keys_of_those_in_use(stage: Stage) -> None:
    query = """
        SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, attnum = ANY (coalesce(conkey, '{}'))
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        LEFT JOIN pg_constraint ON conrelid = pg_class.oid AND contype = 'p'
        WHERE relnamespace = $1::text::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
    """
    async with shadow_tables(stage.database, to_compare=True):
        compared = {tuple(row) for row in await stage.database.fetch(query, "rebuilding")}
        used = {tuple(row) for row in await stage.database.fetch(query, "public")}
    assert {*TABLES, "checkpoints"} == {table for table, *_ in compared}
    assert compared == {row for row in used if row[0] in {*TABLES, "checkpoints"}}


@pytest.mark.parametrize("in_the_read_model", [True, False])
async def test_a_snapshot_that_the_facts_do_not_give_is_named_once(stage: Stage, in_the_read_model: bool) -> None:
    last = await stage.author.write(h.a_launch())
    message: RawStreamMsg = await stage.author.connection.jetstream().get_msg(LIFECYCLE, last)
    body = json.loads(message.data or b"")
    body["data"]["instance"]["attempt"] = 7
    instance_id = body["subject"]
    for _ in range(2):
        await stage.author.publish(append_subject(instance_id, body["type"]), json.dumps(body).encode())
    if in_the_read_model:
        await projected(stage)
    (difference,) = (await verify_once(stage.settings)).differences
    assert difference.startswith(f"snapshot of {instance_id} at version ")
    assert "attempt is 7, the facts give 1" in difference


async def test_what_nobody_kept_when_a_snapshot_was_written_is_no_difference(stage: Stage) -> None:
    instance_id = uuid4()
    requested, *old = (
        fact.model_copy(update={"instance_id": instance_id})
        for fact in (f.instance_requested(), f.action_delayed(), f.volume_found())
    )
    instance = given(requested)
    for fact in (requested, *old):
        instance = evolve(instance, fact) if fact is not requested else instance
        body = json.loads(encode(event_id(fact), fact, instance, Origin("test"), "/coldstart/test"))
        body["data"]["instance"].pop("delay", None)
        await stage.author.publish(append_subject(instance_id, fact.type()), json.dumps(body).encode())
    await projected(stage)
    later = f.action_delayed(instance_id=instance_id, number=2)
    after = await stage.author.record(later)
    assert after.delay is not None
    await projected(stage)
    verdict = await verify_once(stage.settings)
    assert (verdict.differences, verdict.behind) == ((), 0)


async def test_what_the_read_model_does_not_have_yet_and_what_nobody_can_read_is_told_and_no_difference(
    stage: Stage,
) -> None:
    await projected(stage, h.a_launch())
    had = await stage.author.last_sequence()
    await stage.author.write(h.a_launch())
    await stage.author.publish(*malformed(uuid4()))
    verdict = await verify_once(stage.settings)
    assert (verdict.differences, len(verdict.unreadable)) == ((), 1)
    assert verdict.behind == await stage.author.last_sequence() - had


async def test_a_read_model_of_another_stream_is_a_difference(stage: Stage) -> None:
    await projected(stage, h.a_launch())
    await stage.database.execute("UPDATE checkpoints SET sequence = 1000000")
    (difference,) = (await verify_once(stage.settings)).differences
    assert "another stream" in difference


async def test_an_empty_installation_verifies(stage: Stage) -> None:
    assert await verify_once(stage.settings) == Verdict(0, 0, 0, (), ())


def test_differences_are_printed_and_make_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_verdict(Verdict(8, 2, 0, (), ())) == 0
    assert capsys.readouterr().out == "8 events of 2 instances: 0 differences\n"
    assert print_verdict(Verdict(8, 2, 3, ("sequence 4 cannot be read",), ("timeline of x: missing",))) == 1
    assert capsys.readouterr().out.splitlines() == [
        "sequence 4 cannot be read",
        "timeline of x: missing",
        "8 events of 2 instances: 1 differences; the read model is 3 events behind",
    ]
