"""Judges what is asked of a deployment before anything is recorded, as a launch of one of its replicas is judged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.api.access.api_keys import ApiKey
from services.api.admission.deployment_body import DeploymentBody, ScaleBody, TurnBody, deployment_wish
from services.api.admission.intake import Intake, Wanted
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.resolution import Resolved, resolve
from services.api.refusals import FieldError, invalid
from services.api.tenancy.organizations import Organization
from shared.deployments.wish import DeploymentWish, Turn
from shared.schedule import mistakes


@dataclass(frozen=True)
class WantedDeployment:
    """`replica`: what each of its replicas would be."""

    wish: DeploymentWish
    replica: Wanted


class DeploymentIntake:
    def __init__(self, intake: Intake, access: AccessCache) -> None:
        self._intake = intake
        self._access = access

    async def judged(self, name: str, body: DeploymentBody, organization: Organization | None) -> WantedDeployment:
        """What the body asks for, and what is found out about it. Raises Refused, JournalUnavailable."""
        if errors := [*_bounds(body.min_replicas, body.max_replicas), *_schedule(body.schedule)]:
            raise invalid(*errors)
        replica = await self._intake.judged(body.replica(), organization)
        if body.fallback is not None:
            await self._check_fallback(body.fallback, replica.model.model, organization)
        return WantedDeployment(deployment_wish(name, body, replica.wish), replica)

    async def check(self, wanted: WantedDeployment, owner: ApiKey) -> None:
        """Check that this key may launch its replicas, and that they could be launched. Raises Refused."""
        await self._intake.check_rights(wanted.replica, owner)
        await self._intake.check_offer(wanted.replica)

    async def catalogue(self, wanted: WantedDeployment, owner: ApiKey) -> None:
        """Add the model, so that requests may name it while there is no replica yet."""
        await self._intake.catalogue(wanted.replica, owner)

    async def _check_fallback(self, name: str, model: str, organization: Organization | None) -> None:
        found = resolve(name, self._access.catalogue, organization)
        if not isinstance(found, Resolved):
            await self._access.load()  # another process may just have added it
            found = resolve(name, self._access.catalogue, organization)
        if not isinstance(found, Resolved):
            detail = (
                f"{name} is neither a model of the catalogue nor an offering of the owner; GET /models lists those."
            )
            raise invalid(FieldError(pointer="/fallback", detail=detail))
        if found.model.model == model:
            detail = f"{name} is the deployment's own model, which cannot answer while no replica is ready."
            raise invalid(FieldError(pointer="/fallback", detail=detail))


def scaled(wish: DeploymentWish, body: ScaleBody) -> DeploymentWish:
    """With these bounds. Raises Invalid."""
    bounds = body.model_dump(exclude_none=True)
    scaling = wish.scaling.model_copy(update=bounds)
    if errors := list(_bounds(scaling.min_replicas, scaling.max_replicas)):
        raise invalid(*errors)
    return wish.model_copy(update={"scaling": scaling})


def _bounds(least: int, most: int) -> Iterator[FieldError]:
    if least > most:
        detail = f"{least} is more than max_replicas, which is {most}."
        yield FieldError(pointer="/min_replicas", detail=detail)


def _schedule(turns: Iterable[TurnBody]) -> Iterator[FieldError]:
    """The first error of each turn."""
    for mistake in mistakes([Turn(**turn.model_dump()) for turn in turns]):
        yield FieldError(pointer=f"/schedule/{mistake.number}/{mistake.field}", detail=mistake.reason)
