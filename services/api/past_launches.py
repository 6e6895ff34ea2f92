"""`/launches`: how long past launches took, which is what estimates are made from."""

from typing import Final

from litestar import get
from litestar.di import NamedDependency
from pydantic import BaseModel, ConfigDict

from services.api.estimates import Estimates
from shared.eta.launch import Launch


class Launches(BaseModel):
    """All that are looked at: the newest, `COLDSTART_ETA_LAUNCHES` at most."""

    model_config = ConfigDict(frozen=True)
    items: list[Launch]
    next_cursor: None = None


@get(
    "/launches",
    summary="List the past launches that estimates are made from, the newest first",
    description="`reached` holds, for every percentage that a launch showed, the seconds from its beginning.",
)
async def list_launches(estimates: NamedDependency[Estimates]) -> Launches:
    return Launches(items=estimates.history.launches)


ROUTES: Final = (list_launches,)
