"""What the list of models says of one beside its name."""

from typing import Any
from uuid import UUID

from services.api.deployments.table import DeploymentTable
from services.api.router.table import RoutingTable


class ModelDetails:
    def __init__(self, table: RoutingTable, deployments: DeploymentTable) -> None:
        self._table = table
        self._deployments = deployments

    def of(self, model: str, organization: UUID | None) -> dict[str, Any]:
        """Fields for this caller: the longest context, once it is known, and whether a request would wake it."""
        details: dict[str, Any] = {}
        if (length := self._table.max_model_len(model, organization)) is not None:
            details["max_model_len"] = length
        if not self._table.workers(model, organization) and self._deployments.waking(model, organization):
            details["wakes"] = True
        return details
