"""The stream of all events of all instances and deployments, and the subjects for writing and reading it."""

from typing import Final
from uuid import UUID

LIFECYCLE: Final = "LIFECYCLE"
EVERY_EVENT: Final = "lifecycle.>"


def append_subject(of: UUID, event: str) -> str:
    """Where the journal publishes. The stream stores it as `lifecycle.…`, and only then sends it to subscribers.

    Otherwise plain subscribers would also see appends that the stream refuses on a version conflict.
    """
    return f"journal.{of}.{event}"


def event_subject(of: UUID, event: str) -> str:
    """Where the stream stores an event, and where it is read."""
    return f"lifecycle.{of}.{event}"


def events_of(of: UUID) -> str:
    """Matches all stored events of one instance or deployment; the journal's expected sequence refers to it."""
    return f"lifecycle.{of}.>"
