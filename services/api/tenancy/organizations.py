"""Organisations: they own instances, keys and offerings, within limits."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Protocol, Self, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.api.access.api_keys import ApiKey

AtLimit: TypeAlias = Literal["warn", "drain"]
"""What happens to an organisation's instances at a spending limit; an event is recorded in either case."""
Amount: TypeAlias = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class Limits(BaseModel):
    """None means no limit. Spending is at list price, in the currency of the prices."""

    model_config = ConfigDict(frozen=True)

    max_instances: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    spend_per_hour: Amount | None = None
    spend_per_month: Amount | None = None
    at_limit: AtLimit = "warn"


Slug: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=63, description="Lower-case letters, digits and dashes.")
]


class Organization(Limits):
    """`slug` is the part before the slash in its offerings' names."""

    id: UUID
    slug: str
    name: str
    created_at: AwareDatetime

    def name_of(self, code: str) -> str:
        """The name by which its callers request the offering `code`."""
        return f"{self.slug}/{code}"


class Organizations:
    """All organisations: one immutable value that is replaced as a whole."""

    def __init__(self, by_id: Mapping[UUID, Organization], by_slug: Mapping[str, Organization]) -> None:
        self._by_id = by_id
        self._by_slug = by_slug

    @classmethod
    def of(cls, organizations: Iterable[Organization]) -> Self:
        held = tuple(organizations)
        return cls({one.id: one for one in held}, {one.slug: one for one in held})

    def called(self, slug: str) -> Organization | None:
        return self._by_slug.get(slug)

    def identified(self, organization_id: UUID | None) -> Organization | None:
        return self._by_id.get(organization_id) if organization_id else None

    def __iter__(self) -> Iterator[Organization]:
        return iter(self._by_id.values())


class KnownOrganizations(Protocol):
    """The source of the current organisations, which replaces them when they change."""

    @property
    def organizations(self) -> Organizations: ...

    def organization_of(self, owner: ApiKey) -> Organization | None: ...

    async def load(self) -> None:
        """Read them again now."""
