"""All instances are read from the stream, each once."""

from services.provisioner.reconciliation.known import KnownInstances
from shared.bus.reader import stream_state
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.progress.service import Author
from tests.provisioner.stage import Stage
from tests.rolled_back import rolled_back


async def test_known_instances_are_read_on_from_where_the_last_reading_stopped(stage: Stage) -> None:
    known = KnownInstances(stage.connection)
    assert await known.ids() == []
    await stage.requested()
    assert await known.ids() == [stage.instance_id]
    known.forget(stage.instance_id)
    assert await known.ids() == []


async def test_a_subject_without_an_instance_s_id_does_not_keep_others_from_being_known(stage: Stage) -> None:
    await stage.connection.jetstream().publish("journal.nobody.InstanceRequested", b"{}")
    await stage.requested()
    assert await KnownInstances(stage.connection).ids() == [stage.instance_id]


async def test_after_a_rollback_which_the_stream_has_outgrown_lost_instances_are_forgotten_and_new_ones_known(
    stage: Stage,
) -> None:
    known, author = KnownInstances(stage.connection), Author(stage.connection)
    async with rolled_back(stage.connection):
        await author.write((f.instance_requested(),))
        (lost,) = await known.ids()
    read = (await stream_state(stage.connection)).last_sequence
    last = await author.write(h.a_launch())
    assert last > read
    (new,) = await known.ids()
    assert new != lost
