"""A world with one deployment, its journal and its instances. It breaks down when a law is broken."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from shared.deployments import events as e
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.fold import begin, evolve
from shared.deployments.load import SAMPLE_S, Demand, Sample
from shared.deployments.news import is_news
from shared.deployments.plan import LAUNCH_S
from shared.deployments.wish import DeploymentWish
from shared.lifecycle.instance import Failure, Instance
from shared.lifecycle.status import ENDING, FAILURES, GONE, Status
from tests.deployments.examples import AT, ID, a_wish, an_instance

FENCE: Final = timedelta(seconds=20)
"""A scaler whose look began longer ago has lost its lease, and concludes nothing more from it."""
_WINDOW: Final = 4
"""Samples that a demand has: more than the longest window of the wishes."""
_CODES: Final = ("startup_timeout", "install_failed", "server_lost", "out_of_gpu_memory", "image_not_found")


class LawBroken(AssertionError):
    """What the world did, and which law it broke."""


@dataclass
class Launch:
    """A request to an api. Once the api has found the replica wanted, the instance exists some time later."""

    instance_id: UUID
    judged_at: datetime | None = None


@dataclass
class World:
    random: Random
    now: datetime = AT
    load: float = 0.0
    loads: list[float] = field(default_factory=lambda: [0.0] * _WINDOW)
    broken: frozenset[str] = frozenset()
    """Models that never start."""
    peaceful: bool = False
    facts: list[e.DeploymentEvent] = field(default_factory=list)
    deployment: Deployment = field(init=False)
    instances: dict[UUID, Instance] = field(default_factory=dict)
    ordered: set[UUID] = field(default_factory=set)
    launches: list[Launch] = field(default_factory=list)
    allowed: int = 0
    """How many may be paid for: what was allowed before a bound fell still holds for replicas from before."""
    wasted: int = 0
    """Machines that failed since somebody acted or one was ready."""

    def __post_init__(self) -> None:
        created = e.DeploymentCreated(deployment_id=ID, occurred_at=AT, wish=self.any_wish(), revision=1)
        self.facts.append(created)
        self.deployment = begin(created)

    def any_wish(self) -> DeploymentWish:
        low = self.random.choice((0, 0, 1, 2))
        return a_wish(
            min_replicas=low,
            max_replicas=max(1, low + self.random.choice((0, 1, 2))),
            model=f"org/{self.random.choice('abc')}",
            scale_down_after=10,
            scale_to_zero_after=20,
            surge=self.random.choice((1, 1, 2)),
            settle=self.random.choice((0, 20)),
        )

    def demand(self) -> Demand:
        """As the apis would tell it now."""
        begun = self.now - timedelta(seconds=SAMPLE_S * _WINDOW)
        recent = tuple(
            Sample(at=begun + timedelta(seconds=SAMPLE_S * number), mean=load, peak=load)
            for number, load in enumerate(self.loads)
        )
        return Demand(known=True, in_flight=self.load, recent=recent)

    def pass_time(self, seconds: float) -> None:
        """What the apis had to launch in this time they have launched, or given up."""
        self.now += timedelta(seconds=seconds)
        passed = min(_WINDOW, round(seconds / SAMPLE_S))
        self.loads = (self.loads + [self.load] * passed)[-_WINDOW:]
        late = self.now - timedelta(seconds=LAUNCH_S) + FENCE
        self.launches = [each for each in self.launches if each.judged_at is None or each.judged_at > late]

    def record(self, fact: e.DeploymentEvent) -> None:
        if not is_news(self.deployment, fact):
            return
        self._check_fact(fact)
        self.facts.append(fact)
        self.deployment = evolve(self.deployment, fact)
        if isinstance(fact, e.OfAPerson):
            self.wasted = 0
        self.check_paid()

    def _check_fact(self, fact: e.DeploymentEvent) -> None:
        if isinstance(fact, e.ReplicaAdded | e.ReplicaReplaced):
            law(fact.instance_id not in self.ordered, "an instance's id comes twice")
            self.ordered.add(fact.instance_id)
        if isinstance(fact, e.DeploymentScaled):
            law(fact.before == self.deployment.wanted != fact.after, "a scaling that changes nothing")

    def look(self, deployment: Deployment) -> dict[UUID, Instance]:
        wanted = (each.instance_id for each in deployment.replicas)
        return {of: self.instances[of] for of in wanted if of in self.instances}

    def stays(self, instance_id: UUID) -> bool:
        active = self.deployment.status is DeploymentStatus.ACTIVE
        return active and any(each.instance_id == instance_id for each in self.deployment.staying)

    def go_on(self, launch: Launch) -> None:
        """The next thing that an api does for a launch."""
        if launch.instance_id in self.instances or (launch.judged_at is None and not self.stays(launch.instance_id)):
            self.launches.remove(launch)
        elif launch.judged_at is None:
            launch.judged_at = self.now
        else:
            self.launches.remove(launch)
            self._begin(launch.instance_id)

    def _begin(self, instance_id: UUID) -> None:
        law(instance_id in self.ordered, "an instance that no event explains")
        made = an_instance(instance_id, Status.PROVISIONING, since=self.now, resources=_NOTHING, zone=None)
        self.instances[instance_id] = made
        self.check_paid()

    def end_what_is_unwanted(self, instance_id: UUID) -> None:
        """What the scaler's trigger does for each new instance."""
        if not self.stays(instance_id):
            self.end(instance_id)

    def end(self, instance_id: UUID) -> None:
        instance = self.instances[instance_id]
        if instance.status in (Status.READY, Status.UNAVAILABLE):
            self.move(instance, Status.DRAINING)
        elif instance.status not in ENDING:
            self.move(instance, Status.TERMINATING, ended_at=self.now)

    def move(self, instance: Instance, status: Status, **changes: Any) -> None:
        moved = {"status": status, "status_since": self.now, **changes}
        self.instances[instance.id] = instance.model_copy(update=moved)

    def live_on(self, instance: Instance) -> None:
        """The next thing in an instance's life."""
        chance = 1.0 if self.peaceful else self.random.random()
        match instance.status:
            case Status.PROVISIONING if instance.resources.server_id is None:
                self._get_a_server(instance, chance)
            case Status.PROVISIONING:
                self._start(instance, chance)
            case Status.READY if chance < 0.1:
                self._fail(instance, self.random.choice(("server_lost", "unavailable_too_long")))
            case Status.READY if chance < 0.2:
                self.move(instance, Status.UNAVAILABLE)
            case Status.UNAVAILABLE if chance > 0.5:
                self.move(instance, Status.READY)
            case Status.DRAINING:
                self.move(instance, Status.TERMINATING, ended_at=self.now)
            case Status.TERMINATING:
                self.move(instance, Status.TERMINATED, resources=_released(instance))
            case status if status in FAILURES and not instance.resources.released:
                self.move(instance, status, resources=_released(instance))
            case _:
                pass

    def _get_a_server(self, instance: Instance, chance: float) -> None:
        if chance < 0.15:
            error = Failure(code="out_of_stock", message="Nothing is free.")
            self.move(instance, Status.PROVISIONING_FAILED, error=error, ended_at=self.now)
        else:
            resources = instance.resources.model_copy(update={"server_id": "server"})
            zone = self.random.choice(("a", "b"))
            self.move(instance, Status.PROVISIONING, resources=resources, zone=zone, instance_type="L4")

    def _start(self, instance: Instance, chance: float) -> None:
        replica = next((each for each in self.deployment.replicas if each.instance_id == instance.id), None)
        model = self.deployment.template_of(replica.revision).model if replica else ""
        if model in self.broken:
            self._fail(instance, "startup_timeout")
        elif chance < 0.2:
            self._fail(instance, self.random.choice(_CODES))
        else:
            self.wasted = 0
            self.move(instance, Status.READY, ready_at=instance.ready_at or self.now)

    def _fail(self, instance: Instance, code: str) -> None:
        failure = Failure(code=code, message="It failed.")
        status = Status.FAILED if instance.ready_at else Status.STARTUP_FAILED
        self.wasted += 1
        self.move(instance, status, error=failure, ended_at=self.now)

    def paid(self) -> int:
        return sum(is_paid_for(each) for each in self.instances.values())

    def check_paid(self) -> None:
        wish = self.deployment.wish
        bound = wish.scaling.max_replicas + wish.rollout.surge
        paid = self.paid()
        self.allowed = bound if len(self.deployment.replicas) <= bound else max(self.allowed, bound)
        law(paid <= self.allowed, f"{paid} are paid for, {bound} may be")


_NOTHING: Final = an_instance(ID).resources.model_copy(update={"server_id": None})


def law(holds: bool, says: str) -> None:
    if not holds:
        raise LawBroken(says)


def _released(instance: Instance) -> Any:
    return instance.resources.model_copy(update={"released": True})


def is_paid_for(instance: Instance) -> bool:
    return instance.status not in GONE and not instance.resources.released
