"""The stream that holds every event of every instance, and the subjects it is written and read under."""

from typing import Final
from uuid import UUID

LIFECYCLE: Final = "LIFECYCLE"
EVERY_EVENT: Final = "lifecycle.>"


def append_subject(instance_id: UUID, event: str) -> str:
    """Where the journal publishes. The stream takes it in as `lifecycle.…`, and only then tells subscribers of it.

    A plain subscriber would otherwise hear what the stream refused after a version conflict, too.
    """
    return f"journal.{instance_id}.{event}"


def event_subject(instance_id: UUID, event: str) -> str:
    """Where the stream keeps what was appended, and where it is read."""
    return f"lifecycle.{instance_id}.{event}"


def instance_subject(instance_id: UUID) -> str:
    """Covers every event of one instance as the stream keeps it: what the journal expects its sequence under."""
    return f"lifecycle.{instance_id}.>"
