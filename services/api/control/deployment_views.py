"""A deployment as the control API shows it: its description, its instances, its load and its cost."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.tenancy.organizations import Organization
from shared.deployments.delays import ReplicaDelay, delay_of
from shared.deployments.deployment import Deployment, Replica
from shared.deployments.description import DeploymentDescription
from shared.deployments.wish import DeploymentWish, Rollout, Scaling, Template
from shared.description import InstanceView
from shared.lifecycle.groups import StatusGroup
from shared.load_heard import Heard

_HOURS_OF_A_MONTH: Final = 730
_CENTS_OF_CENTS: Final = 4


class ReplicaView(Replica):
    """`instance`: None while it is not launched, or if its events are not projected yet."""

    instance: InstanceView | None


class LoadView(BaseModel):
    """Requests in flight and held now, and how many arrive in a second, by all api processes heard lately."""

    model_config = ConfigDict(frozen=True)
    in_flight: int
    held: int
    arriving_per_s: float


class AskedView(Template, Scaling):
    """What PUT is given to make it so."""

    organization: str | None
    rollout: Rollout

    @classmethod
    def of(cls, wish: DeploymentWish, organization: Organization | None) -> Self:
        fields = {**wish.template.__dict__, **wish.scaling.__dict__}
        return cls(**fields, rollout=wish.rollout, organization=organization.slug if organization else None)


class DeploymentView(DeploymentDescription):
    """`ready` of the replicas that stay serve, and `on_their_way` will; one whose launch was refused is neither.

    `delay` is what holds a replica up, a rollout's before others. `load` is None while no api was heard. `hourly_price`
    is what its servers cost an hour now, at list price; `monthly_price` what that makes in 730 hours. `asked` is the
    body that PUT is given to make it so.
    """

    replicas: tuple[ReplicaView, ...]
    ready: int
    on_their_way: int
    delay: ReplicaDelay | None
    load: LoadView | None
    hourly_price: float
    monthly_price: float
    currency: str | None
    asked: AskedView

    @classmethod
    def shown(
        cls,
        deployment: Deployment,
        instances: Mapping[UUID, InstanceView],
        heard: Heard | None,
        organization: Organization | None,
        at: datetime,
    ) -> Self:
        described = DeploymentDescription.of(deployment, at)
        its = [one for replica in deployment.replicas if (one := instances.get(replica.instance_id))]
        replicas = [
            ReplicaView(**replica.__dict__, instance=instances.get(replica.instance_id))
            for replica in deployment.replicas
        ]
        staying = [one for one in replicas if not one.leaving]
        groups = [one.instance.group for one in staying if one.instance]
        unlaunched = sum(not one.instance and not one.refusal for one in staying)
        price = _hourly_price(its)
        return cls(
            **(described.__dict__ | {"replicas": tuple(replicas)}),
            ready=groups.count(StatusGroup.READY),
            on_their_way=groups.count(StatusGroup.LAUNCHING) + unlaunched,
            delay=None if deployment.gave_up else delay_of(deployment.replicas, instances),
            load=LoadView(in_flight=heard.in_flight, held=heard.held, arriving_per_s=heard.arriving_per_s)
            if heard
            else None,
            hourly_price=price,
            monthly_price=round(price * _HOURS_OF_A_MONTH, 2),
            currency=next((one.currency for one in its if one.currency), None),
            asked=AskedView.of(deployment.wish, organization),
        )


class NewDeployment(DeploymentView):
    """`warnings` say what most likely will not work, such as weights that leave no room. Normally there is none."""

    warnings: list[str] = Field(default=[])


def _hourly_price(instances: Sequence[InstanceView]) -> float:
    return round(sum(one.hourly_price or 0.0 for one in instances if one.server_on), _CENTS_OF_CENTS)
