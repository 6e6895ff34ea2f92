"""What is the same for every service of a stream: in the stream's metadata, set by the first service that starts."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from nats.js.api import StreamConfig

from shared.bus.installation import INSTALLATION
from shared.journal.envelope import SCHEMA_VERSION
from shared.journal.streams import LIFECYCLE
from shared.running import StartRefused

LEASE: Final = "coldstart.lease_seconds"
"""The key in the stream's metadata that holds the ack wait of the durable consumers, in seconds."""
SCHEMA: Final = "coldstart.schema_version"
"""The key that holds the newest schema version that was ever written; older services cannot write beside it."""
TOPOLOGY: Final = "coldstart.topology_version"
"""The key that holds the newest `TOPOLOGY_VERSION` that was ever applied."""
TOPOLOGY_VERSION: Final = 3
"""To be raised with every change of a stream or consumer, so that services of the version before leave it alone."""
_SERVERS: Final = "_nats."
"""The prefix of the keys that the server adds by itself."""


class LeaseDiffers(StartRefused):
    """Otherwise the service that starts last would set it for all, and work under longer leases would be done twice."""

    def __init__(self, found_s: float, wanted_s: float) -> None:
        super().__init__(
            f"the stream {LIFECYCLE} has leases of {found_s:g} s, and COLDSTART_LEASE_SECONDS is {wanted_s:g}: set it "
            f"to {found_s:g} for every service; or, to change it, stop every service and start them all with "
            f"COLDSTART_FORMER_LEASE_SECONDS={found_s:g}"
        )


class OlderThanStream(StartRefused):
    """A service that cannot read the newest events would have to leave the instances that have them alone."""

    def __init__(self, found: int) -> None:
        super().__init__(
            f"the stream {LIFECYCLE} is written by a newer version (schema {found}; this one writes {SCHEMA_VERSION}): "
            "install that version again, or restore a backup from before it"
        )


def lease_s_of(found: StreamConfig) -> float | None:
    """The lease in seconds; None in a stream of an earlier version."""
    try:
        return float((found.metadata or {})[LEASE])
    except (KeyError, ValueError):
        return None


def schema_of(found: StreamConfig) -> int:
    """0 in a stream of an earlier version."""
    return _number(found, SCHEMA)


def topology_is_newer(found: StreamConfig) -> bool:
    """Whether a newer version has declared the streams and consumers: then they are not ours to change."""
    return _number(found, TOPOLOGY) > TOPOLOGY_VERSION


def check_agreed(found: StreamConfig, lease_s: float, former_lease_s: float | None) -> None:
    """Raises OlderThanStream; LeaseDiffers, unless the stream has no lease yet or the former one."""
    if (its := schema_of(found)) > SCHEMA_VERSION:
        raise OlderThanStream(its)
    if (lease := lease_s_of(found)) not in (None, lease_s, former_lease_s):
        raise LeaseDiffers(lease, lease_s)


def missing(found: StreamConfig) -> tuple[str, ...]:
    """What should be in the stream's metadata and is not."""
    return tuple(key for key in (LEASE, SCHEMA, TOPOLOGY) if key not in (found.metadata or {}))


def metadata(installation: UUID, lease_s: float, found: StreamConfig | None = None) -> dict[str, str]:
    """The stream's metadata; what `found` has besides stays, and its versions never become older."""
    found = found or StreamConfig()
    return {
        **our_own(found.metadata),
        INSTALLATION: str(installation),
        LEASE: repr(lease_s),
        SCHEMA: str(max(SCHEMA_VERSION, schema_of(found))),
        TOPOLOGY: str(max(TOPOLOGY_VERSION, _number(found, TOPOLOGY))),
    }


def our_own(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Without what the server has added by itself."""
    return {key: value for key, value in (metadata or {}).items() if not key.startswith(_SERVERS)}


def _number(found: StreamConfig, key: str) -> int:
    try:
        return int((found.metadata or {})[key])
    except (KeyError, ValueError):
        return 0
