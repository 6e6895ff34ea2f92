"""What another version has recorded: read as far as it is known, and never overwritten."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal
from uuid import uuid4

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st
from nats.aio.client import Client
from pydantic import BaseModel

from shared.bus.connection import connect
from shared.bus.topology import apply_topology
from shared.journal.envelope import SCHEMA_VERSION, Undecodable, WrittenByNewer, decode, decode_any, encode
from shared.journal.errors import OnlyForNewer
from shared.journal.journal import Journal
from shared.journal.recorded import Origin, Recorded, UnknownEvent
from shared.journal.streams import LIFECYCLE, append_subject, event_subject
from shared.journal.vocabulary import VOCABULARIES, merged, vocabulary_of
from shared.lifecycle.decide import terminate
from shared.lifecycle.fold import evolve
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import Status
from tests.journal.another_version import ANOTHER, body_of, named, of_schema, with_field, written
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.arbitrary import histories, law, steps
from tests.lifecycle.facts import Facts

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = (
    *(("instance", part, "novel") for part in ("resources", "install", "specification", "findings")),
    ("instance", "novel"),
    ("event", "novel"),
)
_values = st.none() | st.integers() | st.text(max_size=5) | st.dictionaries(st.sampled_from("ab"), st.integers())


def an_event(history: Facts) -> bytes:
    return encode(uuid4(), history[-1], f.given(*history), Origin("health"), "/test")


@law
@for_any(histories(), st.lists(st.tuples(st.sampled_from(PLACES), _values), max_size=4), st.integers(1, 3))
def test_what_is_not_understood_stays_in_every_snapshot_that_this_version_writes(
    history: Facts, news: list[tuple[tuple[str, ...], Any]], appends: int
) -> None:
    data = written(an_event(history[:1]), *(with_field(*place, value=value) for place, value in news))
    novel = {place: value for place, value in news if place[0] == "instance"}
    for step in islice(steps(history), appends):
        found = decode_any(data, 7, AT)
        assert isinstance(found, Recorded)
        assert found.instance == step.before
        data = encode(uuid4(), step.event, step.after, Origin("health"), "/test", carried=found.unread)
        body = body_of(data)
        assert body["vocabulary"] == (ANOTHER if novel else VOCABULARIES[Instance])
        for place, value in novel.items():
            assert _at(body["data"], place) == value
        for place in novel:
            _delete(body["data"], place)
        assert body["data"]["instance"] == step.after.model_dump(mode="json"), "and nothing else differs"


def _at(data: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        data = data[name]
    return data


def _delete(data: dict[str, Any], place: tuple[str, ...]) -> None:
    del _at(data, place[:-1])[place[-1]]


@law
@for_any(histories())
def test_of_an_event_with_an_unknown_name_the_instance_after_it_is_read(history: Facts) -> None:
    data = written(an_event(history), named("SomethingNovel"), with_field("event", "novel"))
    found = decode_any(data, 7, AT)
    assert isinstance(found, UnknownEvent)
    assert (found.type, found.instance, found.content()["novel"]) == ("SomethingNovel", f.given(*history), "new")
    with pytest.raises(WrittenByNewer):
        decode(data, 7, AT)


def test_what_is_read_for_rows_has_what_is_not_understood() -> None:
    data = written(an_event(h.a_ready_instance()), with_field("event", "novel"), with_field("instance", "novel"))
    found = decode(data, 7, AT)
    assert (found.content()["novel"], found.snapshot()["novel"]) == ("new", "new")


@pytest.mark.parametrize(
    "changes",
    [
        (of_schema(SCHEMA_VERSION + 1),),
        (with_field("instance", "status", value="a_novel_status"),),
        (with_field("instance", "powered", value=[{"since": "2026-01-01T00:00:00Z", "novel": 1}]),),
        (named("SomethingNovel"), with_field("instance", "status", value="a_novel_status")),
    ],
)
def test_what_cannot_be_understood_safely_is_said_to_be_of_a_newer_version(changes: Any) -> None:
    data = written(an_event(h.a_ready_instance()), *changes)
    with pytest.raises(WrittenByNewer):
        decode_any(data, 7, AT)


@pytest.mark.parametrize("data", [b"no JSON", b"{}", b"[]", b'{"dataschema": "x", "vocabulary": "another"}'])
def test_what_is_no_event_is_not_of_a_newer_version(data: bytes) -> None:
    with pytest.raises(Undecodable) as raised:
        decode_any(data, 7, AT)
    assert raised.type is Undecodable


@pytest.mark.parametrize("change", [named("SomethingNovel"), with_field("instance", "status", value="a_novel_status")])
def test_an_event_in_our_own_words_that_cannot_be_read_is_simply_wrong(change: Any) -> None:
    body = body_of(an_event(h.a_ready_instance()))
    change(body)
    for vocabulary in ({"vocabulary": VOCABULARIES[Instance]}, {}):
        data = json.dumps({name: value for name, value in body.items() if name != "vocabulary"} | vocabulary).encode()
        with pytest.raises(Undecodable) as raised:
            decode_any(data, 7, AT)
        assert raised.type is Undecodable


def test_a_vocabulary_names_events_fields_and_the_values_of_those() -> None:
    class Inner(BaseModel):
        status: Status

    class Inner2(BaseModel):
        status: Literal["ready"] | None

    class Inner3(BaseModel):
        status: Status
        more: int = 0

    class Outer(BaseModel):
        inner: Inner | None

    class Outer2(BaseModel):
        inner: Inner2

    class Outer3(BaseModel):
        inner: Inner3

    class Outer4(BaseModel):
        inner: tuple[Annotated[Inner, "annotated"], ...]

    several = ({"A": Outer}, {"A": Outer2}, {"A": Outer3}, {"B": Outer}, {"A": Outer, "B": Outer})
    assert len({vocabulary_of(models) for models in several}) == len(several)
    assert vocabulary_of({"A": Outer4}) == vocabulary_of({"A": Outer})


def test_a_part_that_is_gone_takes_what_was_not_understood_in_it_along() -> None:
    assert merged({"kept": {"a": 1}, "gone": None}, {"kept": {"b": 2}, "gone": {"c": 3}, "d": 4}) == {
        "kept": {"a": 1, "b": 2},
        "gone": None,
        "d": 4,
    }


@pytest.fixture
async def connection(nats_url: str) -> AsyncGenerator[Client]:
    connection = await connect(nats_url, "test")
    await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=30)
    yield connection
    await connection.close()


async def recorded_by_another(connection: Client, *changes: Any) -> Instance:
    """A ready instance, whose last event another version has recorded."""
    instance_id = uuid4()
    history = tuple(fact.model_copy(update={"instance_id": instance_id}) for fact in h.a_ready_instance())
    data = written(an_event(history), *changes)
    await connection.jetstream().publish(append_subject(instance_id, body_of(data)["type"]), data)
    return f.given(*history)


async def last_of(connection: Client, instance: Instance) -> dict[str, Any]:
    message = await connection.jetstream().get_last_msg(LIFECYCLE, event_subject(instance.id, ">"))
    return body_of(message.data or b"")


@pytest.mark.parametrize("change", [named("SomethingNovel"), with_field("instance", "novel")])
async def test_an_instance_goes_on_behind_what_another_version_has_added(connection: Client, change: Any) -> None:
    journal = Journal(connection, actor="test", source="/test")
    ready = await recorded_by_another(connection, with_field("instance", "resources", "kept"), change)
    assert await journal.load(ready.id) == ready
    lost = f.health_lost(instance_id=ready.id, occurred_at=ready.updated_at)
    assert await journal.record(lost) == evolve(ready, lost)
    await journal.intend(ready.id, terminate, intent_id=uuid4(), at=f.AT)
    body = await last_of(connection, ready)
    assert body["data"]["instance"]["resources"]["kept"] == "new"
    assert body["data"]["instance"]["status"] == Status.TERMINATING
    assert [one.type async for one in journal.history(ready.id)][-2:] == ["HealthLost", "TerminationRequested"]


async def test_nothing_is_appended_behind_what_only_a_newer_version_reads(connection: Client) -> None:
    told = list[str | None]()
    journal = Journal(connection, actor="test", source="/test", appended=told.append)
    ready = await recorded_by_another(connection, of_schema(SCHEMA_VERSION + 1))
    before = await last_of(connection, ready)
    with pytest.raises(OnlyForNewer, match="is left to a newer version"):
        await journal.load(ready.id)
    with pytest.raises(OnlyForNewer):
        await journal.record(f.health_lost(instance_id=ready.id))
    with pytest.raises(OnlyForNewer):
        await journal.intend(ready.id, terminate, intent_id=uuid4(), at=f.AT)
    assert await last_of(connection, ready) == before
    assert told == []
