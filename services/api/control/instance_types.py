"""`/instance-types`: the types that can be rented, with zones and prices."""

from typing import Annotated, Final

from litestar import get
from litestar.params import QueryParameter
from pydantic import BaseModel, ConfigDict

from services.api.control.authorization import ANY_KEY
from services.api.control.dependencies import Provided
from shared.offers.gpus import compute_capability
from shared.offers.instance_types import InstanceType, InstanceTypes
from shared.offers.provider_status import ProviderStatus, ProviderStatuses
from shared.plain_text import PlainText


class Offer(InstanceType):
    """An instance type of one provider; `availability` is by zone, as far as the provider reports it.

    `compute_capability` is that of its GPUs, null if it is not known. `unusable`: why vLLM cannot run on it. Such a
    type is refused.
    """

    provider: str
    compute_capability: float | None
    unusable: PlainText | None


class Offers(BaseModel):
    """All types: they are too few for pages. `providers` says whether each can be used, and why not."""

    model_config = ConfigDict(frozen=True)
    items: list[Offer]
    providers: list[ProviderStatus]
    next_cursor: None = None


@get("/instance-types", opt=ANY_KEY, summary="List what can be rented, with prices per hour and availability")
async def list_instance_types(
    offered: Provided[InstanceTypes],
    statuses: Provided[ProviderStatuses],
    provider: Annotated[str | None, QueryParameter(max_length=64, description="Only of this provider.")] = None,
) -> Offers:
    types = await offered.of_all()
    return Offers(
        items=[
            Offer(
                provider=name,
                compute_capability=compute_capability(kind.gpu),
                unusable=kind.why_unusable,
                **kind.model_dump(),
            )
            for name, kinds in types.items()
            if provider in (None, name)
            for kind in kinds
        ],
        providers=[status for status in await statuses.of_all() if provider in (None, status.provider)],
    )


ROUTES: Final = (list_instance_types,)
