"""Who asks for something: somebody with an API key, or a service by itself."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.plain_text import PlainText


class Actor(BaseModel):
    """`id` is the API key's, also of a console session, which is signed in with one. A service has none.

    `name` is that of the key, or of the service, when it asked.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["key", "session", "service"]
    id: UUID | None = None
    name: PlainText


class RequestedBy(BaseModel):
    """A fact that somebody asked for. `requested_by` is None if that was not recorded, as in former versions."""

    model_config = ConfigDict(frozen=True)

    requested_by: Annotated[Actor | None, Field(exclude_if=lambda actor: actor is None)] = None
