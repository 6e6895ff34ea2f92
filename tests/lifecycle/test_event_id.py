"""One fact has one id, whoever saw it; another fact has another."""

from datetime import timedelta
from uuid import UUID

import pytest

from shared.lifecycle.events import EVENTS, Event, event_id
from shared.lifecycle.fact import Action, AttemptFact
from tests.lifecycle import facts as f
from tests.lifecycle.facts import NAMED_BY_ITS_MOMENT


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_two_observers_of_one_fact_give_it_the_same_id(event: Event) -> None:
    later = event.model_copy(update={"occurred_at": f.AT + timedelta(seconds=3)})
    assert (event_id(event) == event_id(later)) is (type(event) not in NAMED_BY_ITS_MOMENT)


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_the_id_survives_a_trip_through_json(event: Event) -> None:
    assert event_id(type(event).model_validate_json(event.model_dump_json())) == event_id(event)


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_the_same_fact_of_another_instance_has_another_id(event: Event) -> None:
    assert event_id(event) != event_id(event.model_copy(update={"instance_id": UUID(int=7)}))


@pytest.mark.parametrize("event", f.examples(), ids=lambda event: event.type())
def test_the_same_fact_of_another_attempt_has_another_id(event: Event) -> None:
    if "attempt" in type(event).model_fields:
        assert event_id(event) != event_id(event.model_copy(update={"attempt": 7}))


def test_facts_of_different_types_have_different_ids() -> None:
    assert len({event_id(event) for event in f.examples()}) == len(EVENTS)


@pytest.mark.parametrize("kind", EVENTS.values())
def test_an_identity_names_fields_that_the_fact_has(kind: type[Event]) -> None:
    assert set(kind.identity) <= kind.model_fields.keys()
    assert not (issubclass(kind, AttemptFact) and "attempt" in kind.identity)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f.instance_created(), f.instance_created(server_id="another")),
        (f.volume_found(), f.volume_found(volume_id="another")),
        (f.ssh_install_phase_reached(), f.ssh_install_phase_reached(phase="docker", index=3)),
        (f.ssh_install_phase_reached(), f.ssh_install_phase_reached(install_try=2)),
        (f.ssh_install_failed(), f.ssh_install_failed(install_try=2)),
        (f.host_key_rotated(), f.host_key_rotated(counter=2)),
        (f.model_load_progressed(), f.model_load_progressed(fraction=0.75)),
        (f.model_load_progressed(), f.model_load_progressed(stage="cuda_graphs")),
        (f.health_lost(), f.health_lost(outage=2)),
        (f.health_restored(), f.health_restored(outage=2)),
        (f.action_delayed(), f.action_delayed(number=2)),
        (f.action_resumed(), f.action_resumed(number=2)),
        (f.action_delayed(), f.action_delayed(action=Action.POWER_ON)),
        (f.server_lost(), f.server_lost(server_id="another")),
    ],
    ids=lambda event: event.type(),
)
def test_what_is_a_fact_of_its_own_has_an_id_of_its_own(one: Event, other: Event) -> None:
    assert event_id(one) != event_id(other)


def test_words_about_a_fact_do_not_make_it_another() -> None:
    assert event_id(f.health_lost()) == event_id(f.health_lost(reason="the connection was reset"))
    assert event_id(f.startup_failed()) == event_id(f.startup_failed(code="other", message="Other."))
