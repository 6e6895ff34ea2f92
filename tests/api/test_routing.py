"""The routing table, without any server: whatever happens, only what is ready is asked, the least busy first."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.api.catalogue import Model
from services.api.routing import RoutingTable
from shared.lifecycle.events import Specification
from shared.lifecycle.status import Status
from shared.secrets import Secrets
from tests.lifecycle import facts
from tests.lifecycle.arbitrary import histories, law, steps
from tests.lifecycle.facts import AT, Facts
from tests.lifecycle.histories import a_ready_instance

SECRETS = Secrets("a master secret of at least thirty-two characters")
MODEL = Model(id=UUID(int=1), model=facts.a_specification().model, task="generate", gated=False, created_at=AT)


def a_table() -> RoutingTable:
    return RoutingTable(SECRETS, 8000)


@law
@given(histories())
def test_an_instance_is_asked_exactly_while_it_is_ready_at_its_address_with_its_attempt_s_key(history: Facts) -> None:
    table = a_table()
    for step in steps(history):
        instance = step.after
        table.apply(instance)
        expected = []
        if instance.status is Status.READY and instance.ip_address:
            key = SECRETS.worker_api_key(instance.id, instance.attempt)
            expected = [(instance.id, f"http://{instance.ip_address}:8000", key)]
        assert [(worker.instance_id, worker.url, worker.api_key) for worker in table.workers(MODEL)] == expected


@law
@given(histories())
def test_a_table_built_from_the_last_snapshot_is_the_one_that_lived_through_them_all(history: Facts) -> None:
    lived, built = a_table(), a_table()
    last = None
    for step in steps(history):
        lived.apply(step.after)
        last = step.after
    built.replace([last] if last else [])
    assert (lived.workers(MODEL), lived.nearest(MODEL)) == (built.workers(MODEL), built.nearest(MODEL))


def test_another_organisation_s_instance_is_as_if_it_did_not_exist() -> None:
    table = a_table()
    owned = facts.a_specification(organization_id=uuid4())
    instance = facts.given(*a_ready_instance())
    table.apply(instance.model_copy(update={"specification": Specification.model_validate(owned)}))
    assert (table.workers(MODEL), table.nearest(MODEL)) == ([], None)


@given(st.lists(st.booleans(), max_size=40))
def test_the_busiest_worker_never_has_two_more_than_the_least_busy_one(begin_or_end: list[bool]) -> None:
    table = a_table()
    ready = facts.given(*a_ready_instance())
    for number in range(3):
        table.apply(ready.model_copy(update={"id": UUID(int=number + 10)}))
    running: list[tuple[UUID, object]] = []
    for begin in begin_or_end:
        if begin:
            worker = table.workers(MODEL)[0]
            busy = table.busy(worker)
            busy.__enter__()
            running.append((worker.instance_id, busy))
            loads = [sum(one == UUID(int=number + 10) for one, _ in running) for number in range(3)]
            assert loads[worker.instance_id.int - 10] <= min(loads) + 1
        elif running:
            _, oldest = running.pop(0)
            oldest.__exit__(None, None, None)  # type: ignore[attr-defined]


def test_an_ipv6_address_is_written_as_a_url_needs_it() -> None:
    table = a_table()
    table.apply(facts.given(*a_ready_instance()).model_copy(update={"ip_address": "2001:bc8::1"}))
    assert table.workers(MODEL)[0].url == "http://[2001:bc8::1]:8000"
