"""What holds of a deployment whatever people ask, and however many scalers conclude whatever they like."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from hypothesis import given as for_any
from hypothesis import strategies as st

from shared.deployments.decide import put
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.description import DeploymentDescription
from shared.deployments.events import (
    DeploymentCreated,
    DeploymentEvent,
    OfTheScaler,
    ReplicaAdded,
    ReplicaReplaced,
    conclusion_id,
    deployment_id,
    replica_id,
)
from shared.deployments.fold import evolve, fold
from shared.deployments.news import is_news
from shared.journal.envelope import DEPLOYMENTS, encode
from shared.journal.recorded import Origin, RecordedDeployment
from tests.deployments import facts as d
from tests.deployments.arbitrary import Asked, asked, conclusions, histories, recorded
from tests.deployments.facts import AT, ID, a_wish
from tests.lifecycle.arbitrary import law


@law
@for_any(histories())
def test_no_fact_in_any_order_is_too_much_and_each_counts_a_version(history: Sequence[DeploymentEvent]) -> None:
    deployment = d.given(history[0])
    for event in history[1:]:
        after = evolve(deployment, event)
        assert (after.version, after.id) == (deployment.version + 1, ID)
        assert after.updated_at >= deployment.updated_at
        assert Deployment.model_validate_json(after.model_dump_json()) == after
        DeploymentDescription.of(after, AT)
        deployment = after


@law
@for_any(asked())
def test_the_snapshots_are_what_the_facts_give(asks: Sequence[Asked]) -> None:
    steps = list(recorded(asks))
    for number, step in enumerate(steps, start=1):
        assert fold(each.event for each in steps[:number]) == step.after
        assert step.after.version == number


@law
@for_any(asked(), conclusions())
def test_a_conclusion_from_an_old_version_changes_nothing(asks: Sequence[Asked], conclusion: OfTheScaler) -> None:
    for step in recorded(asks, late=True):
        if isinstance(step.event, OfTheScaler):
            assert step.before is not None
            assert step.event.basis == step.before.version
        assert is_news(step.after, conclusion) == (conclusion.basis == step.after.version)


@law
@for_any(asked())
def test_what_was_concluded_once_is_no_news_when_another_scaler_concludes_it(asks: Sequence[Asked]) -> None:
    for step in recorded(asks):
        if isinstance(step.event, OfTheScaler):
            later = step.event.model_copy(update={"occurred_at": AT})
            assert conclusion_id(later) == conclusion_id(step.event)
            assert not is_news(step.after, later)


@law
@for_any(conclusions(), conclusions())
def test_two_conclusions_have_one_id_only_if_they_say_the_same(one: OfTheScaler, other: OfTheScaler) -> None:
    said = [each.model_dump(exclude={"occurred_at", "figures", "message", "not_before"}) for each in (one, other)]
    same = type(one) is type(other) and said[0] == said[1]
    assert (conclusion_id(one) == conclusion_id(other)) == same


@law
@for_any(
    st.lists(
        st.sampled_from(["put", "put", "add", "add", "replace", "end", "delete", "restart"]), min_size=20, max_size=40
    )
)
def test_no_id_of_a_replica_comes_twice_however_often_its_deployment_is_deleted_and_created(does: list[str]) -> None:
    """What a scaler adds has the revision and the generation that the snapshot gives."""
    ids: list[UUID] = []
    deployment = d.given(d.deployment_created())
    for each in does:
        event = _next(deployment, each)
        if event is not None:
            deployment = evolve(deployment, event)
            ids += [event.instance_id] if isinstance(event, ReplicaAdded | ReplicaReplaced) else []
    assert len({*ids}) == len(ids)


def _next(deployment: Deployment, does: str) -> DeploymentEvent | None:
    newest, basis = next(iter(reversed(deployment.replicas)), None), deployment.version
    gone = deployment.status is DeploymentStatus.DELETED
    generation = deployment.next_generation(0)
    match does:
        case "put":
            return put(deployment, ID, a_wish(), AT)
        case "restart" if not gone:
            return d.deployment_changed(wish=deployment.wish, revision=deployment.revision + 1)
        case "delete" if not gone:
            return d.deployment_deleted()
        case "add" if not gone:
            return d.replica_added(basis=basis, revision=deployment.revision, generation=generation)
        case "replace" if newest is not None:
            its_id = replica_id(ID, newest.revision, 0, generation)
            former = newest.instance_id
            return d.replica_replaced(basis=basis, former_instance_id=former, generation=generation, instance_id=its_id)
        case "end" if newest is not None:
            return d.replica_ended(basis=basis, instance_id=newest.instance_id)
    return None


@law
@for_any(asked())
def test_what_was_put_is_so_and_putting_it_again_changes_nothing(asks: Sequence[Asked]) -> None:
    for step in recorded(asks):
        for wish in (a_wish(), a_wish(model="org/another")):
            decided = put(step.after, ID, wish, AT)
            after = evolve(step.after, decided) if decided else step.after
            assert (after.wish, after.status is DeploymentStatus.DELETED) == (wish, False)
            assert put(after, ID, wish, AT) is None
            assert isinstance(decided, DeploymentCreated) == (step.after.status is DeploymentStatus.DELETED)


@law
@for_any(asked())
def test_a_revision_never_falls_and_stays_for_a_change_of_numbers_only(asks: Sequence[Asked]) -> None:
    for step in recorded(asks):
        if step.before is not None:
            again = isinstance(step.event, DeploymentCreated)
            assert step.after.revision >= step.before.revision + again
            numbers = put(
                step.after, ID, step.after.wish.model_copy(update={"scaling": a_wish(min_replicas=0).scaling}), AT
            )
            if numbers is not None and step.after.status is not DeploymentStatus.DELETED:
                assert numbers.revision == step.after.revision


@for_any(st.text(max_size=8), st.text(max_size=8), st.none() | st.uuids(), st.none() | st.uuids())
def test_two_deployments_have_one_id_only_if_name_and_organisation_are_the_same(
    name: str, other: str, organization: UUID | None, another: UUID | None
) -> None:
    same = (name, organization) == (other, another)
    assert (deployment_id(name, organization) == deployment_id(other, another)) == same


@law
@for_any(histories())
def test_an_event_is_read_as_it_was_written(history: Sequence[DeploymentEvent]) -> None:
    deployment = d.given(history[0])
    for event in history[1:]:
        deployment, event_id, origin = evolve(deployment, event), uuid4(), Origin("scaler", uuid4())
        data = encode(event_id, event, deployment, origin, "/test")
        assert DEPLOYMENTS.decode(data, 7, AT) == RecordedDeployment(event_id, event, deployment, origin, 7, AT)
