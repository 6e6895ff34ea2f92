"""The load of deployments as every api process tells it once a second, over core NATS. Nobody stores it."""

from typing import Annotated, Final, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.deployments.load import Lead

SUBJECT: Final = "load.api"
"""Every report of an api process: once a second, and at once when a request has to wait for a deployment to wake."""
EVERY_S: Final = 1.0
MOST_IN_A_REPORT: Final = 3_000
"""Deployments. However high their counts, so many fit into the megabyte that NATS takes as one message."""
_Count: TypeAlias = Annotated[int, Field(ge=0, le=2**53)]
"""Whoever adds up what is heard counts in floats."""


class DeploymentLoad(BaseModel):
    """Requests of one process for one deployment: `in_flight` and `held` now; the others since the process began.

    `lead`: how long a replica ordered now would take to be ready.
    """

    model_config = ConfigDict(frozen=True)
    in_flight: _Count = 0
    held: _Count = 0
    arrived: _Count = 0
    refused: _Count = 0
    served: _Count = 0
    lead: Lead | None = None


class LoadReport(BaseModel):
    """`process` distinguishes api processes; each begins with another.

    A deployment that is left out has nothing in flight or held, and its counts are as they were.
    A process that has to tell more than fits into one message tells it in `parts` reports, as if it were so many
    processes: each has a `process` of its own and deployments of its own, and all have the same `part_of`.
    """

    model_config = ConfigDict(frozen=True)
    process: UUID
    part_of: UUID | None = None
    parts: Annotated[int, Field(ge=1)] = 1
    at: AwareDatetime
    deployments: dict[UUID, DeploymentLoad]
