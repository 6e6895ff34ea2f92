"""All instances are read from the stream, each once."""

from services.provisioner.reconciliation.known import KnownInstances
from tests.provisioner.stage import Stage


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
