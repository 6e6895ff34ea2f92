"""The deployments, in memory, updated by every event of one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.api.deployments.waking import why_it_does_not_wake
from shared.clock import CLOCK
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.events import deployment_id


@dataclass(slots=True)
class _Found:
    """`waking` is the first that wakes within this minute."""

    ordered: Sequence[Deployment]
    minute: datetime | None = None
    waking: Deployment | None = None


class DeploymentTable:
    """A deployment's highest version counts, in whatever order versions arrive.

    Deleted deployments are known too, since somebody may still wait for one. `organization_id` is the caller's: other
    organisations' deployments are treated as if they did not exist.
    """

    def __init__(self, now: Callable[[], datetime] = CLOCK.now) -> None:
        self._now = now
        self._all: dict[UUID, Deployment] = {}
        self._by_model: dict[str, dict[UUID, Deployment]] = {}
        self._found: dict[str, dict[UUID | None, _Found]] = {}
        """What was asked of a model since the last event of its deployments: all who wait ask the same."""
        self._followers: Final[list[Callable[[str], None]]] = []

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Call this, from now on, with the model of each deployment that changes: with both if that is what changes."""
        self._followers.append(changed)

    def replace(self, deployments: Iterable[Deployment]) -> None:
        """Forget everything and start with these."""
        models = list(self._by_model)
        self._all.clear()
        self._by_model.clear()
        self._found.clear()
        for deployment in deployments:
            self._take(deployment)
        self._tell(*models, *self._by_model)

    def apply(self, deployment: Deployment) -> bool:
        """Take over the deployment from an event; False if it was known already."""
        former = self._all.get(deployment.id)
        if former is not None and deployment.version <= former.version:
            return False
        models = {deployment.next_template.model}
        if former is not None:
            models.add(former.next_template.model)
            self._by_model[former.next_template.model].pop(deployment.id)
            self._found.pop(former.next_template.model, None)
        self._take(deployment)
        self._tell(*models)
        return True

    @property
    def living(self) -> Sequence[Deployment]:
        """All that are not deleted."""
        return [each for each in self._all.values() if each.status is not DeploymentStatus.DELETED]

    def of(self, of: UUID) -> Deployment | None:
        """Deleted or not."""
        return self._all.get(of)

    def named(self, name: str, organization_id: UUID | None) -> Deployment | None:
        """The organisation's own; a shared one for None."""
        found = self._all.get(deployment_id(name, organization_id))
        return None if found is None or found.status is DeploymentStatus.DELETED else found

    def served_model(self, name: str, organization_id: UUID) -> str | None:
        """What is served by the organisation's own of this name or else by a shared one; None if there is neither."""
        found = self.named(name, organization_id) or self.named(name, None)
        return found.serving_template.model if found else None

    def serving(self, model: str, organization_id: UUID | None) -> Sequence[Deployment]:
        """Those of a model that the caller may see, deleted ones included: its organisation's, then shared ones.

        The oldest first.
        """
        return self._find(model, organization_id).ordered

    def serving_anyone(self, model: str) -> Sequence[Deployment]:
        """Like `serving`, of any organisation, in no order."""
        return list(self._by_model.get(model, {}).values())

    def waking(self, model: str, organization_id: UUID | None) -> Deployment | None:
        """The one that wakes for a request of this caller: the first from which it may expect a replica."""
        found, now = self._find(model, organization_id), self._now()
        minute = now.replace(second=0, microsecond=0)  # a schedule turns at the beginning of one
        if found.minute != minute:
            found.minute = minute
            found.waking = next((each for each in found.ordered if why_it_does_not_wake(each, now) is None), None)
        return found.waking

    def _find(self, model: str, organization_id: UUID | None) -> _Found:
        of_model = self._by_model.get(model)
        if not of_model:
            return _Found([])
        asked = self._found.setdefault(model, {})
        if organization_id not in asked:
            visible = (each for each in of_model.values() if each.organization_id in (None, organization_id))
            asked[organization_id] = _Found(
                sorted(visible, key=lambda each: (each.organization_id is None, each.created_at, each.id))
            )
        return asked[organization_id]

    def _take(self, deployment: Deployment) -> None:
        self._all[deployment.id] = deployment
        self._by_model.setdefault(deployment.next_template.model, {})[deployment.id] = deployment
        self._found.pop(deployment.next_template.model, None)

    def _tell(self, *models: str) -> None:
        for changed in self._followers:
            for model in models:
                changed(model)
