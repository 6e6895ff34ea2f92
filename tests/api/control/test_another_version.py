"""What a newer version has written while this api still runs: shown as far as it is understood, never a 500."""

from typing import Any
from uuid import uuid4

import pytest

from shared.journal.envelope import SCHEMA_VERSION, encode
from shared.journal.recorded import Origin
from shared.journal.streams import append_subject
from shared.postgres.connection import connecting
from tests.api.stage import Stage
from tests.journal.another_version import of_schema, written
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

NOVEL = "UPDATE instances SET snapshot = jsonb_set(snapshot, '{status}', '\"novel\"') WHERE id = ANY ($1)"


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_lists_leave_out_what_only_a_newer_version_can_read_and_go_on_behind_it(stage: Stage, limit: int) -> None:
    await stage.projector()
    api = await stage.api()
    instances = [await stage.happened(*h.a_ready_instance()) for _ in range(6)]
    for instance in instances:
        await api.projected(instance)
    async with connecting(stage.database_url, name="test") as database:
        await database.execute(NOVEL, [instance.id for instance in instances[1:4]])
    listed, cursor = list[str](), ""
    while cursor is not None:
        answer = await api.client.get("/instances", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200
        page: dict[str, Any] = answer.json()
        listed += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(listed) == sorted(str(instance.id) for instance in (instances[0], *instances[4:]))


async def test_an_instance_whose_last_event_only_a_newer_version_reads_is_refused_and_left_as_it_is(
    stage: Stage,
) -> None:
    api = await stage.api()
    ready = await stage.happened(*h.a_ready_instance())
    lost = f.health_lost(instance_id=ready.id)
    data = written(encode(uuid4(), lost, ready, Origin("health"), "/test"), of_schema(SCHEMA_VERSION + 1))
    before = await stage.connection.jetstream().publish(append_subject(ready.id, "HealthLost"), data)
    for answer in (await api.client.get(f"/instances/{ready.id}"), await api.client.delete(f"/instances/{ready.id}")):
        assert (answer.status_code, answer.json()["code"]) == (503, "left_to_newer_version")
    assert (await stage.connection.jetstream().stream_info("LIFECYCLE")).state.last_seq == before.seq
