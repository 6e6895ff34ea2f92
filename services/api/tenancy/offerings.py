"""Organisations' own names for models, for their own callers."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Offering(BaseModel):
    """A model under an organisation's own name: its slug, a slash, `code`. Only an `active` one is served.

    `deployment`: the name of the deployment whose model it is at any time; `model_id` is then what that was at first.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    organization_id: UUID
    code: str
    model_id: UUID
    deployment: str | None = None
    active: bool
    created_at: AwareDatetime
