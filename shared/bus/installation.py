"""Which installation a stream belongs to: its UUID is in the stream's metadata and in the source of every event.

StartRefused
├── AnotherInstallation  the stream belongs to another installation than COLDSTART_INSTALLATION says
└── InstallationLost     the stream does not say to which installation it belongs
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import NotFoundError

from shared.journal.streams import LIFECYCLE
from shared.running import StartRefused

INSTALLATION: Final = "coldstart.installation"
"""The key in the stream's metadata that holds this installation's UUID."""
_SOURCE: Final = "/coldstart/"


@dataclass(frozen=True)
class StreamIdentity:
    """`created`: when the server created the stream, to tell it from a later one of the same name."""

    installation: UUID
    created: datetime | None


class AnotherInstallation(StartRefused):
    def __init__(self, found: UUID, wanted: UUID) -> None:
        super().__init__(
            f"COLDSTART_INSTALLATION is {wanted}, but this stream belongs to installation {found}: unset it, or start "
            "with a stream that is yet to be made"
        )


class InstallationLost(StartRefused):
    """Another program has overwritten the stream's configuration, or created the stream."""

    def __init__(self, by_its_events: UUID | None) -> None:
        which = (
            f"its last event is of {by_its_events}: set COLDSTART_INSTALLATION={by_its_events} to put that back"
            if by_its_events
            else f"it has no events either: delete it (nats stream rm {LIFECYCLE}), and the next start makes it anew"
        )
        super().__init__(f"the stream {LIFECYCLE} does not say which installation it belongs to; {which}")


def installation_of(config: StreamConfig) -> UUID | None:
    """None if the stream does not say it, or not as a UUID."""
    try:
        return UUID((config.metadata or {})[INSTALLATION])
    except (KeyError, ValueError):
        return None


async def installation_id(jetstream: JetStreamContext) -> UUID | None:
    """The UUID of the stream's installation; None before the first start.

    Raises InstallationLost.
    """
    try:
        info = await jetstream.stream_info(LIFECYCLE)
    except NotFoundError:
        return None
    found = installation_of(info.config)
    if found is None:
        raise InstallationLost(await _by_its_events(jetstream))
    return found


async def identity_to_apply(jetstream: JetStreamContext, wanted: UUID | None) -> UUID:
    """The stream's own UUID; `wanted` for a stream that does not exist yet, or has lost it.

    Raises AnotherInstallation, InstallationLost.
    """
    try:
        found = await installation_id(jetstream)
    except InstallationLost:
        found = await _by_its_events(jetstream)
        if wanted is None or found is None:
            raise
    if wanted is not None and found not in (None, wanted):
        raise AnotherInstallation(found, wanted)
    return found or wanted or uuid4()


async def _by_its_events(jetstream: JetStreamContext) -> UUID | None:
    """The UUID in the newest event, whatever its subject."""
    try:
        last = await jetstream.get_last_msg(LIFECYCLE, ">")
        return UUID(json.loads(last.data or b"")["source"].removeprefix(_SOURCE))
    except (NotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
