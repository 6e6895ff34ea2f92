"""Who asks for something, as what it leads to names them."""

from dataclasses import dataclass
from typing import Final

from shared.actor import Actor


@dataclass(frozen=True)
class Caller:
    """`traceparent` is the W3C trace context of the request, if it had one."""

    actor: Actor
    traceparent: str | None = None


API: Final = Caller(Actor(kind="service", name="api"))
"""What the api does by itself."""
SCALER: Final = Caller(Actor(kind="service", name="scaler"))
"""What the scaler has asked the api for."""
