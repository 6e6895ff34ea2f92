"""The routing table, without any server: the highest version counts, in whatever order versions come."""

from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.api.router.table import RoutingTable
from services.api.upstream import Address
from shared.lifecycle.events import Event
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from shared.secrets import Secrets
from shared.worker_tls import worker_tls
from tests.lifecycle import facts
from tests.lifecycle.arbitrary import histories, law, steps
from tests.lifecycle.facts import Facts
from tests.lifecycle.histories import a_launch, a_ready_instance

SECRETS = Secrets("a master secret of at least thirty-two characters")
MODEL = facts.a_specification().model
OURS, THEIRS = uuid4(), uuid4()


def a_table() -> RoutingTable:
    return RoutingTable(SECRETS, 8000, lambda _: None)


def owned(instance: Instance, organization: UUID | None) -> Instance:
    specification = instance.specification.model_copy(update={"organization_id": organization})
    return instance.model_copy(update={"specification": specification})


def snapshots_of(history: Facts) -> list[Instance]:
    """The snapshots in a history's events. A history may begin with facts about no instance."""
    snapshots = [step.after for step in steps(history)]
    assume(snapshots)
    return snapshots


@law
@given(histories())
def test_an_instance_is_asked_exactly_while_it_is_ready_at_its_address_with_its_attempt_s_key(history: Facts) -> None:
    table = a_table()
    for step in steps(history):
        instance = step.after
        table.apply(instance)
        expected = []
        if instance.status is Status.READY and instance.ip_address:
            key = f"Bearer {SECRETS.worker_api_key(instance.id, instance.attempt)}".encode()
            expected = [(instance.id, Address(instance.ip_address, 8000, worker_tls(SECRETS, instance)), key)]
        told = table.workers(MODEL, None)
        assert [(worker.instance_id, worker.address, worker.authorization) for worker in told] == expected


@law
@given(histories(), st.data())
def test_order_and_repetition_do_not_matter(history: Facts, data: st.DataObject) -> None:
    snapshots = snapshots_of(history)
    in_order, disturbed = a_table(), a_table()
    for snapshot in snapshots:
        in_order.apply(snapshot)
    for snapshot in data.draw(st.permutations(snapshots + data.draw(st.lists(st.sampled_from(snapshots))))):
        disturbed.apply(snapshot)
    for told in (RoutingTable.workers, RoutingTable.serving):
        assert told(disturbed, MODEL, None) == told(in_order, MODEL, None)


@law
@given(histories(), st.data())
def test_a_read_model_that_is_behind_changes_nothing_and_one_that_is_ahead_is_believed(
    history: Facts, data: st.DataObject
) -> None:
    snapshots = snapshots_of(history)
    heard, projected = (data.draw(st.integers(1, len(snapshots))) for _ in range(2))
    table = a_table()
    table.replace(snapshots[:heard])
    assert table.reconcile([snapshots[projected - 1]], is_behind=projected <= heard) == (projected > heard)
    latest = snapshots[max(heard, projected) - 1]
    answers_some_day = latest.status not in GONE and not latest.specification.builds_image
    assert table.serving(MODEL, None) == ([latest] if answers_some_day else [])


def test_what_a_machine_image_is_made_of_is_not_on_its_way_to_serve_the_model_that_is_on_it() -> None:
    wish = facts.a_specification(model=MODEL, purpose="machine_image")
    table = a_table()
    table.replace([facts.given(facts.instance_requested(specification=wish))])
    assert table.serving(MODEL, None) == []


def test_what_is_gone_is_remembered_until_the_read_model_knows_it_too() -> None:
    ready = facts.given(*a_ready_instance())
    gone = ready.model_copy(update={"status": Status.TERMINATED, "version": ready.version + 2})
    table = a_table()
    table.replace([ready, gone])
    assert table.known == [ready.id]
    assert table.reconcile([ready], is_behind=True) == 0
    assert table.workers(MODEL, None) == []
    table.reconcile([gone], is_behind=False)
    table.apply(ready)
    assert table.workers(MODEL, None) == [], "the read model was ahead: older news was still to come"
    table.reconcile([gone], is_behind=True)
    assert table.known == []


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.TERMINATED])
def test_who_stops_being_ready_is_told_of_once(status: Status) -> None:
    told: list[UUID] = []
    ready = facts.given(*a_ready_instance())
    table = RoutingTable(SECRETS, 8000, told.append)
    lost = ready.model_copy(update={"status": status, "version": ready.version + 1})
    table.replace([ready, lost, lost.model_copy(update={"version": lost.version + 1})])
    assert told == [ready.id]


def test_an_instance_is_for_its_own_organisation_and_a_shared_one_for_everybody() -> None:
    table = a_table()
    shared = facts.given(*a_ready_instance())
    ours = owned(shared.model_copy(update={"id": uuid4()}), OURS)
    table.replace([shared, ours])

    def asked(organization: UUID | None) -> set[UUID]:
        return {worker.instance_id for worker in table.workers(MODEL, organization)}

    assert asked(OURS) == {shared.id, ours.id}
    assert asked(THEIRS) == asked(None) == {shared.id}
    table.replace([ours])
    assert asked(THEIRS) == set()
    assert asked(OURS) == {ours.id}
    assert table.serving(MODEL, THEIRS) == []
    assert table.serving(MODEL, OURS) == [ours]
    table.replace([])
    assert asked(OURS) == set()


def test_the_next_change_is_that_of_the_model_that_is_waited_for() -> None:
    table = a_table()
    changed, other = table.next_change(MODEL), table.next_change("another/model")
    table.apply(facts.given(*a_ready_instance()))
    assert (changed.is_set(), other.is_set()) == (True, False)
    assert not table.next_change(MODEL).is_set()


def test_connections_are_those_of_one_attempt_and_know_how_to_talk_to_its_worker() -> None:
    table = a_table()
    started = a_launch()
    secured = (*started, facts.ssh_install_started(worker_tls="mutual"), facts.instance_ready())

    def address_after(*history: Event) -> Address:
        table.replace([facts.given(*history)])
        (worker,) = table.workers(MODEL, None)
        return worker.address

    first = address_after(*secured)
    assert first.tls is not None
    assert address_after(*started, facts.ssh_install_started(), facts.instance_ready()).tls is None
    again = (*secured, facts.reinstall_requested(attempt=2), facts.ssh_install_started(attempt=2, worker_tls="mutual"))
    second = address_after(*again, facts.instance_ready(attempt=2))
    assert second.tls is not None
    assert second != first


def test_an_event_of_a_worker_that_stays_ready_changes_nothing_of_its_connections() -> None:
    table = a_table()
    history = (*a_launch(), facts.ssh_install_started(worker_tls="mutual"), facts.instance_ready())
    table.apply(facts.given(*history))
    before = table.workers(MODEL, None)
    table.apply(facts.given(*history, facts.health_passed()))
    assert table.workers(MODEL, None) == before


def test_the_longest_context_is_one_that_every_instance_of_the_caller_takes() -> None:
    table = a_table()
    told = facts.given(*a_ready_instance(), facts.model_loaded(max_model_len=8_192))
    assert table.max_model_len(MODEL, OURS) is None
    for instance, organization, length in (
        (told, None, 8_192),
        (facts.given(*a_ready_instance()), None, None),
        (told, OURS, 2_048),
        (told, THEIRS, 512),
    ):
        its = owned(instance, organization).model_copy(update={"id": uuid4(), "max_model_len": length})
        table.apply(its)
    assert (table.max_model_len(MODEL, OURS), table.max_model_len(MODEL, THEIRS)) == (2_048, 512)
    assert (table.max_model_len(MODEL, None), table.max_model_len("another/model", None)) == (8_192, None)
