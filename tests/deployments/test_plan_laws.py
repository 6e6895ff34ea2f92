"""What holds of the plan for any deployment, any state of its instances, any load and any time."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from hypothesis import given as for_any
from hypothesis import strategies as st

from shared.deployments import events as e
from shared.deployments.deployment import Degraded, Deployment, DeploymentStatus, Replica, RolloutState
from shared.deployments.failures import PROVEN_S
from shared.deployments.load import Demand, Lead
from shared.deployments.plan import plan
from shared.deployments.situation import Situation
from shared.deployments.steps import Conclude, EndInstance, LaunchReplica, Step
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import ENDING, Status
from tests.deployments.examples import AT, ID, LEAD, a_deployment, a_wish, an_instance, concluded, samples
from tests.lifecycle.arbitrary import law

_CODES = ("startup_timeout", "server_lost", "out_of_stock", "out_of_gpu_memory")
_ages = st.integers(0, 3 * PROVEN_S).map(lambda seconds: AT - timedelta(seconds=seconds))


@st.composite
def _replicas(draw: st.DrawFn) -> tuple[Replica, ...]:
    """In each ordinal one that stays at most."""
    found: list[Replica] = []
    for generation in range(1, draw(st.integers(0, 7)) + 1):
        ordinal, revision = draw(st.integers(0, 3)), draw(st.integers(1, 3))
        taken = any(each.ordinal == ordinal and not each.leaving for each in found)
        leaving = taken or draw(st.booleans())
        found.append(
            Replica(
                ordinal=ordinal,
                revision=revision,
                generation=generation,
                instance_id=e.replica_id(ID, revision, ordinal, generation),
                leaving=leaving,
                leaving_since=draw(_ages) if leaving else None,
                failures=draw(st.integers(0, 4)),
                wasted=draw(st.integers(0, 3)),
                not_before=draw(st.none() | _ages),
            )
        )
    return tuple(found)


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    low = draw(st.integers(0, 2))
    surge, settle = draw(st.integers(1, 2)), draw(st.sampled_from((0, 30)))
    wish = a_wish(min_replicas=low, max_replicas=low + draw(st.integers(1, 2)), surge=surge, settle=settle)
    halted = draw(st.none() | st.just(Degraded(code="startup_timeout", message="It failed.", since=AT)))
    rollout = RolloutState(revision=3, former=2, since=AT, halted=halted)
    changes = {
        "wish": wish,
        "version": draw(st.integers(1, 50)),
        "status": draw(st.sampled_from((DeploymentStatus.ACTIVE, *DeploymentStatus))),
        "revision": 3,
        "serving_revision": draw(st.sampled_from((2, 3))),
        "wanted": draw(st.integers(0, 4)),
        "replicas": draw(_replicas()),
        "generations": (7, 7, 7, 7),
        "rollout": draw(st.none() | st.just(rollout)),
        "degraded": draw(st.none() | st.just(Degraded(code="x", message="x", since=AT, gave_up=draw(st.booleans())))),
    }
    return a_deployment().model_copy(update=changes)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    deployment = draw(deployments())
    instances: dict[UUID, Instance] = {}
    for replica in deployment.replicas:
        status = draw(st.none() | st.sampled_from(Status))
        if status is not None:
            code = draw(st.sampled_from(_CODES)) if status.value.endswith("failed") else None
            instances[replica.instance_id] = an_instance(replica, status, since=draw(_ages), code=code)
    loads = draw(st.lists(st.sampled_from((0.0, 5.0, 30.0, 90.0)), max_size=4))
    before = [load for load in loads for _ in range(30)]
    demand = Demand(
        known=draw(st.booleans()),
        in_flight=draw(st.sampled_from((0.0, 1.0, 40.0))),
        held=draw(st.sampled_from((0.0, 3.0))),
        recent=samples(*before),
    )
    return Situation(deployment, instances, demand, draw(st.sampled_from((LEAD, Lead()))), (), AT)


def planned(situation: Situation) -> tuple[Step, ...]:
    return plan(
        situation.deployment, situation.instances, situation.demand, situation.lead, situation.bounds, situation.now
    )


def rested(situation: Situation) -> tuple[Deployment, list[e.OfTheScaler], tuple[Step, ...]]:
    return concluded(situation.deployment, situation.instances, situation.demand, situation.now, lead=situation.lead)


def alive(deployment: Deployment, instances: Mapping[UUID, Instance]) -> list[Instance]:
    known = (instances.get(each.instance_id) for each in deployment.replicas)
    return [each for each in known if each is not None and each.status not in ENDING]


@law
@for_any(situations())
def test_the_same_inputs_give_the_same_steps(situation: Situation) -> None:
    assert planned(situation) == planned(situation)


@law
@for_any(situations())
def test_conclusions_come_to_an_end_and_none_says_what_is_so_already(situation: Situation) -> None:
    deployment, facts, _ = rested(situation)
    assert all(fact.basis == situation.deployment.version + place for place, fact in enumerate(facts))
    assert all(fact.before != fact.after for fact in facts if isinstance(fact, e.DeploymentScaled))
    assert deployment.version == situation.deployment.version + len(facts)


@law
@for_any(situations())
def test_only_the_first_of_the_list_are_launched_as_many_as_may_be_paid_for(situation: Situation) -> None:
    deployment, _, left = rested(situation)
    most = deployment.wish.scaling.max_replicas + deployment.wish.rollout.surge
    launched = [step.replica for step in left if isinstance(step, LaunchReplica)]
    assert all(replica in deployment.replicas[:most] for replica in launched)
    assert not any(replica.leaving or replica.instance_id in situation.instances for replica in launched)


@law
@for_any(situations())
def test_no_rollout_and_no_scaling_down_takes_what_is_ready_and_wanted(situation: Situation) -> None:
    deployment, _, _ = rested(situation)
    if deployment.status is not DeploymentStatus.ACTIVE:
        return

    def ready(of: Deployment) -> int:
        ids = (each.instance_id for each in of.staying)
        return sum(i in situation.instances and situation.instances[i].status is Status.READY for i in ids)

    assert ready(deployment) >= min(ready(situation.deployment), deployment.wanted)


@law
@for_any(situations())
def test_nothing_of_a_paused_or_deleted_deployment_stays(situation: Situation) -> None:
    deployment, _, left = rested(situation)
    if deployment.status is DeploymentStatus.ACTIVE:
        return
    assert (deployment.wanted, deployment.staying) == (0, ())
    ended = {step.instance_id for step in left if isinstance(step, EndInstance)}
    assert {each.id for each in alive(deployment, situation.instances)} <= ended
    assert not any(isinstance(step, LaunchReplica) for step in left)


@law
@for_any(situations())
def test_what_was_given_up_orders_nothing(situation: Situation) -> None:
    deployment, _, left = rested(situation)
    if deployment.degraded is not None and deployment.degraded.gave_up:
        assert not any(isinstance(step, LaunchReplica) for step in left)


@law
@for_any(situations())
def test_nothing_is_scaled_down_on_ignorance_but_by_the_bounds(situation: Situation) -> None:
    if situation.demand.known:
        return
    _, facts, _ = rested(situation)
    down = [fact for fact in facts if isinstance(fact, e.DeploymentScaled) and fact.after < fact.before]
    assert {fact.reason for fact in down} <= {"bounds", "paused", "deleted"}


@law
@for_any(situations())
def test_its_own_steps_bring_it_to_rest(situation: Situation) -> None:
    deployment, instances, now = situation.deployment, dict(situation.instances), situation.now
    for _ in range(12):
        demand = Demand(known=True, in_flight=situation.demand.in_flight)
        deployment, _, left = concluded(deployment, instances, demand, now, lead=situation.lead)
        waiting = any(each.leaving or each.instance_id not in instances for each in deployment.replicas)
        if not left and not waiting and all(each.status is Status.READY for each in alive(deployment, instances)):
            break
        now += timedelta(seconds=700)
        for step in left:
            assert not isinstance(step, Conclude)
            made = isinstance(step, LaunchReplica)
            of = step.replica.instance_id if isinstance(step, LaunchReplica) else step.instance_id
            instances[of] = an_instance(of, Status.READY if made else Status.TERMINATED, since=now)
        for instance in list(instances.values()):
            if instance.status in ENDING:
                gone = instance.resources.model_copy(update={"released": True})
                instances[instance.id] = instance.model_copy(update={"resources": gone})
            elif instance.status is not Status.READY:
                instances[instance.id] = instance.model_copy(update={"status": Status.READY, "status_since": now})
        now += timedelta(seconds=700)
    assert not left
    gave_up = deployment.degraded is not None and deployment.degraded.gave_up
    if deployment.status is DeploymentStatus.ACTIVE and not gave_up:
        assert len(alive(deployment, instances)) == deployment.wanted
        assert deployment.rollout is None or deployment.rollout.halted is not None
