# Made from coldstart_client/aio/deployments.py by `make docs`: change that.
"""Deployments: declare, read, scale and end them."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Unpack

from coldstart_client.addresses import path
from coldstart_client.answers import (
    DeploymentLoadView,
    DeploymentStatus,
    DeploymentTimelineRow,
    DeploymentView,
    DeploymentViewPage,
    NewDeployment,
    ScalingExplanation,
)
from coldstart_client.blocking.connection import Connection
from coldstart_client.bodies import DeploymentBody
from coldstart_client.reading import read

_DEPLOYMENTS: Final = "deployments"


class Deployments:
    """`organization` is the owner's slug; by default the key's, for administrators the shared one.

    Each method raises ApiError, NoAnswer or UnexpectedAnswer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def apply(self, name: str, **body: Unpack[DeploymentBody]) -> NewDeployment:
        """Make it, or change it to be so; a field that is left out gets its default. If it is so, nothing changes."""
        return read(NewDeployment, self._connection.call("PUT", path(_DEPLOYMENTS, name), body=body, repeatable=True))

    def create(self, name: str, **body: Unpack[DeploymentBody]) -> NewDeployment:
        """Make it. Raises PreconditionFailed if there is one."""
        headers = {"If-None-Match": "*"}
        return read(NewDeployment, self._connection.call("PUT", path(_DEPLOYMENTS, name), body=body, headers=headers))

    def get(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """As it is now."""
        return self._view("GET", name, organization)

    def list(
        self,
        *,
        status: DeploymentStatus | str | Sequence[DeploymentStatus | str] | None = None,
        model: str | None = None,
        organization: str | None = None,
    ) -> Iterator[DeploymentView]:
        """All of them, newest first, page by page."""
        query = {"status": status, "model": model, "organization": organization}
        for row in self._connection.pages(path(_DEPLOYMENTS), query):
            yield read(DeploymentView, row)

    def page(
        self,
        *,
        status: DeploymentStatus | str | Sequence[DeploymentStatus | str] | None = None,
        model: str | None = None,
        organization: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DeploymentViewPage:
        """One page of the list; `next_cursor` is the `cursor` of the next one."""
        query = {"status": status, "model": model, "organization": organization, "limit": limit, "cursor": cursor}
        return read(DeploymentViewPage, self._connection.call("GET", path(_DEPLOYMENTS), query=query))

    def scale(
        self,
        name: str,
        *,
        min_replicas: int | None = None,
        max_replicas: int | None = None,
        organization: str | None = None,
    ) -> DeploymentView:
        """Change how many replicas there are at least and at most. A bound that is left out stays."""
        bounds = {"min_replicas": min_replicas, "max_replicas": max_replicas}
        body = {bound: number for bound, number in bounds.items() if number is not None}
        return self._view("POST", name, organization, "scale", body=body)

    def delete(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """End all its instances; their running requests end first."""
        return self._view("DELETE", name, organization)

    def pause(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """End all its instances, and wake for no request."""
        return self._view("POST", name, organization, "pause")

    def resume(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """Go on after a pause, or after it has given up."""
        return self._view("POST", name, organization, "resume")

    def restart(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """Replace every replica by a new one of the same."""
        return self._view("POST", name, organization, "restart")

    def rollback(self, name: str, *, organization: str | None = None) -> DeploymentView:
        """Go back to what served before."""
        return self._view("POST", name, organization, "rollback")

    def timeline(
        self, name: str, *, last: int | None = None, organization: str | None = None
    ) -> Iterator[DeploymentTimelineRow]:
        """What happened to it, oldest first; `last`: the newest so many only."""
        query = {"last": last, "organization": organization}
        for row in self._connection.pages(path(_DEPLOYMENTS, name, "timeline"), query):
            yield read(DeploymentTimelineRow, row)

    def load(self, name: str, *, hours: int | None = None, organization: str | None = None) -> DeploymentLoadView:
        """Its load in the past hours, and now."""
        query = {"hours": hours, "organization": organization}
        found = self._connection.call("GET", path(_DEPLOYMENTS, name, "load"), query=query)
        return read(DeploymentLoadView, found)

    def explain(self, name: str, *, organization: str | None = None) -> ScalingExplanation:
        """What the scaler would decide now, and why."""
        query = {"organization": organization}
        found = self._connection.call("GET", path(_DEPLOYMENTS, name, "explain"), query=query)
        return read(ScalingExplanation, found)

    def _view(
        self, method: str, name: str, organization: str | None, *verb: str, body: dict[str, Any] | None = None
    ) -> DeploymentView:
        where, query = path(_DEPLOYMENTS, name, *verb), {"organization": organization}
        return read(DeploymentView, self._connection.call(method, where, query=query, body=body))
