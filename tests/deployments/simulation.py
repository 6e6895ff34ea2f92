"""One deployment, two scalers and people, in any interleaving.

Each run is a walk: one actor after the other makes one move, by chance and from a seed. A scaler may stop after each of
its moves, stay away for long and go on with what it knew, or be killed and begin anew. What the laws forbid is looked
for after each move. In the end people and failures rest, and everything has to come to rest as it was asked for.
"""

from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import Final, cast
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.decide import delete, pause, put, restart, resume, rollback
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentError
from shared.deployments.load import Lead
from shared.deployments.plan import LAUNCH_S, plan
from shared.deployments.steps import Conclude, EndInstance, LaunchReplica, Step
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import GONE, Status
from tests.deployments.examples import ID
from tests.deployments.world import FENCE, Launch, World, is_paid_for, law

LEAD: Final = Lead(p50_s=60, p90_s=120)
MOVES: Final = 160
_MOST_CONCLUDED: Final = 100

Moves = Iterator[object]


def a_scaler(world: World) -> Moves:
    """One look after the other; each ends by yielding True. After each yield it may have been away for long."""
    while True:
        deployment, now = world.deployment, world.now
        yield False
        instances, demand = world.look(deployment), world.demand()
        yield False
        concluded = 0
        while (steps := plan(deployment, instances, demand, LEAD, (), now)) and isinstance(steps[0], Conclude):
            law((concluded := concluded + 1) < _MOST_CONCLUDED, f"it concludes for ever: {steps[0].event}")
            _check_conclusion(deployment, instances, steps[0].event)
            yield False
            if world.now - now > FENCE:
                break
            world.record(cast("e.DeploymentEvent", steps[0].event))
            deployment = world.deployment
            yield False
        for step in steps if not isinstance(next(iter(steps), None), Conclude) else ():
            known = (deployment.revision, deployment.serving_revision)
            law(not isinstance(step, LaunchReplica) or step.replica.revision in known, "nobody knows its template")
            yield False
            _carry_out(world, step)
        yield True


def _carry_out(world: World, step: Step) -> None:
    match step:
        case LaunchReplica(replica=replica):
            world.launches.append(Launch(replica.instance_id))
        case EndInstance(instance_id=instance_id):
            world.end(instance_id)


def _check_conclusion(deployment: Deployment, instances: dict[UUID, Instance], fact: e.OfTheScaler) -> None:
    """As far as the scaler knows, nothing ready and wanted goes, and not much is staked on what has not served yet."""
    ready = [each for each in deployment.staying if _is_ready(instances.get(each.instance_id))]
    if isinstance(fact, e.ReplicaRemoved) and fact.reason not in ("paused", "deleted"):
        left = [each for each in ready if each.instance_id != fact.instance_id]
        wanted = min(len(ready), deployment.wanted)
        law(len(left) >= wanted, f"only {len(ready)} were ready of {deployment.wanted}, and one went")
    if isinstance(fact, e.ReplicaAdded):
        law(all(each.ordinal != fact.ordinal for each in deployment.staying), "an ordinal is taken twice")
        new = [each for each in deployment.staying if each.revision == fact.revision]
        staked = fact.revision != deployment.serving_revision and ready and not any(each in new for each in ready)
        law(not staked or len(new) < deployment.wish.rollout.surge, "more than the surge are new, and none is ready")


def _is_ready(instance: Instance | None) -> bool:
    return instance is not None and instance.status is Status.READY


def people(world: World) -> Moves:
    """Change, pause, resume, restart, roll back, delete, create again; and terminate an instance by hand."""
    while True:
        yield None
        chance = world.random.random()
        event: e.DeploymentEvent | None
        try:
            if chance < 0.5:
                event = put(world.deployment, ID, world.any_wish(), world.now)
            elif chance < 0.7:
                wish = world.deployment.wish
                template = wish.template.model_copy(update={"model": f"org/{world.random.choice('abc')}"})
                event = put(world.deployment, ID, wish.model_copy(update={"template": template}), world.now)
            elif chance < 0.75 and world.instances:
                world.end(world.random.choice(list(world.instances)))
                continue
            else:
                intent = world.random.choice((pause, resume, resume, resume, restart, rollback, delete))
                event = intent(world.deployment, ID, world.now)
        except DeploymentError:
            continue
        if event is not None:
            world.record(event)


def clients(world: World) -> Moves:
    while True:
        yield None
        world.load = world.random.choice((0.0, 0.0, 5.0, 20.0, 40.0))


def clock(world: World) -> Moves:
    while True:
        yield None
        world.pass_time(world.random.choice((1, 10, 10, 30, 70, 400)))


def apis(world: World) -> Moves:
    while True:
        yield None
        if world.launches:
            launch = world.random.choice(world.launches)
            world.go_on(launch)
            if launch.instance_id in world.instances and world.random.random() < 0.5:
                world.end_what_is_unwanted(launch.instance_id)


def lives(world: World) -> Moves:
    while True:
        yield None
        if world.instances:
            world.live_on(world.random.choice(list(world.instances.values())))


def run(seed: int) -> World:
    """Raises LawBroken."""
    random = Random(seed)  # noqa: S311 - a walk
    world = World(random, broken=frozenset(random.sample(("org/a", "org/b", "org/c"), random.choice((0, 1)))))
    scalers = [a_scaler(world), a_scaler(world)]
    others = [people(world), clients(world), clock(world), apis(world), lives(world)]
    weights = list(accumulate((6, random.choice((1, 6)), random.choice((0.1, 0.4)), 0.5, 3, 4, 5)))
    for _ in range(MOVES):
        (actor,) = random.choices(range(7), cum_weights=weights)
        if actor > 1:
            next(others[actor - 2])
            continue
        if random.random() < 0.02:
            scalers[actor] = a_scaler(world)
        next(scalers[actor])
    _come_to_rest(world, scalers)
    return world


def _come_to_rest(world: World, scalers: list[Moves]) -> None:
    """Nothing fails any more, and no one asks for anything; what is broken stays broken."""
    world.peaceful = True
    world.pass_time(LAUNCH_S)
    while world.launches:
        world.go_on(world.launches[0])
    for _ in range(60):
        for scaler in scalers:
            while not next(scaler):
                pass
        while world.launches:
            world.go_on(world.launches[0])
        for instance in list(world.instances.values()):
            world.end_what_is_unwanted(instance.id)
            world.live_on(world.instances[instance.id])
        world.pass_time(70)
        if _is_quiet(world):
            break
    law(_is_quiet(world), "it does not come to rest")
    _check_rest(world)


def _is_quiet(world: World) -> bool:
    before = world.deployment
    steps = plan(before, world.look(before), world.demand(), LEAD, (), world.now)
    at_rest = all(each.status in GONE | {Status.READY} or each.resources.released for each in world.instances.values())
    waiting = any(each.not_before and each.not_before > world.now for each in before.staying)
    return not steps and not world.launches and at_rest and not waiting


def _check_rest(world: World) -> None:
    deployment = world.deployment
    alive = {each.id for each in world.instances.values() if is_paid_for(each)}
    staying = {each.instance_id for each in deployment.staying}
    law(alive <= staying, "an instance is left that nobody wants")
    law(deployment.status is DeploymentStatus.ACTIVE or not deployment.replicas, "something of it stays")
    gave_up = deployment.degraded is not None and deployment.degraded.gave_up
    if not gave_up:
        law(alive == staying and len(staying) == deployment.wanted, f"{len(alive)} of {deployment.wanted} are there")
        law(deployment.degraded is None, "it is degraded, and all is well")
    if deployment.status is DeploymentStatus.ACTIVE:
        law(deployment.wanted >= deployment.wish.scaling.min_replicas, "less is wanted than the minimum")
        serving = any(each.revision != deployment.revision for each in deployment.staying)
        rolling = deployment.rollout is not None and deployment.rollout.halted is None
        law(not rolling or (gave_up and not serving), "it rolls out for ever")
