"""What the router knows and counts, without a server: instances, deployments, and who waits for them."""

from dataclasses import dataclass, field
from typing import cast

from services.api.deployments.table import DeploymentTable
from services.api.estimates.estimates import Estimates
from services.api.estimates.repository import LaunchRepository
from services.api.router.balance import Balance
from services.api.router.breakers import Breakers
from services.api.router.load_counts import LoadCounts
from services.api.router.load_reports import LoadReports
from services.api.router.nearest import Nearest
from services.api.router.table import RoutingTable, Worker
from services.api.router.unready import Unready
from services.api.router.waiting import MostWaiting, Waiting
from shared.deployments.deployment import Deployment
from shared.deployments.events import replica_id
from shared.lifecycle.instance import Instance
from shared.lifecycle.wish import OfDeployment
from shared.secrets import Secrets
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts


async def never(_: Worker) -> int | None:
    raise AssertionError("no worker is probed")


def a_table() -> RoutingTable:
    return RoutingTable(Secrets("a master secret of at least thirty-two characters"), 8000, lambda _: None)


@dataclass
class Desk:
    """`now` is the clock of what is counted."""

    table: RoutingTable = field(default_factory=a_table)
    balance: Balance = field(default_factory=Balance)
    deployments: DeploymentTable = field(default_factory=DeploymentTable)
    now: float = 100.0
    most_waiting: int = 10

    def __post_init__(self) -> None:
        estimates = Estimates(cast("LaunchRepository", None), launches=1, refresh_s=1.0)
        breakers = Breakers(never, failures=1, first_pause_s=1.0, longest_pause_s=1.0)
        self.counts = LoadCounts(self.deployments, clock=lambda: self.now)
        nearest = Nearest(self.table, estimates, breakers, self.deployments)
        self.unready = Unready(nearest, estimates, self.deployments)
        self.reports = LoadReports(self.counts, self.table, self.balance, estimates)
        most = MostWaiting(*3 * (self.most_waiting,))
        self.waiting = Waiting(self.table, breakers, nearest, self.counts, most=most, longest_s=60, heartbeat_s=60)
        self.deployments.on_change(self.table.changed)

    def knows(self, *found: Deployment | Instance) -> None:
        for each in found:
            if isinstance(each, Deployment):
                self.deployments.apply(each)
            else:
                self.table.apply(each)


def replica_of(deployment: Deployment, history: Facts | None = None, *, ordinal: int = 0) -> Instance:
    """The instance of the first generation; ready, if no history says otherwise."""
    replica = OfDeployment(
        deployment_id=deployment.id, deployment_name=deployment.name, revision=1, ordinal=ordinal, generation=1
    )
    instance = f.given(*(history or h.a_ready_instance()))
    of = {"replica": replica, "organization_id": deployment.organization_id, "model": deployment.wish.template.model}
    specification = instance.specification.model_copy(update=of)
    instance_id = replica_id(deployment.id, 1, ordinal, 1)
    return instance.model_copy(update={"id": instance_id, "specification": specification})
