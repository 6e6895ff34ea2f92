"""What a health process says while it doubts itself: a message over core NATS to every api, which nobody stores."""

from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt

SUBJECT: Final = "observations.health"
EVERY_S: Final = 10.0
"""How often it is repeated while it lasts."""


class Doubt(BaseModel):
    """`since` is the start of it. `silent_workers` fell silent at once; 0 without such an outage.

    `void_looks` had no answer while the process itself was late, since it last said so. Both 0: the doubt is over.
    """

    model_config = ConfigDict(frozen=True)
    observer: UUID
    since: AwareDatetime
    silent_workers: NonNegativeInt = 0
    void_looks: NonNegativeInt = 0

    @property
    def is_over(self) -> bool:
        return not (self.silent_workers or self.void_looks)

    @property
    def warning(self) -> str:
        """A sentence for people."""
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        if self.silent_workers:
            return (
                f"{self.silent_workers} workers fell silent at once, at {since}. That is taken for an outage of the "
                "health service or its network: none of them is taken for dead until they answer."
            )
        return (
            f"The health service has been running late since {since}. What it does not see meanwhile "
            f"({self.void_looks} looks) counts for nothing."
        )
