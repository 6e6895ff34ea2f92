"""Keyset pagination: a page begins behind a row, so that nothing is shown twice while new rows arrive."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

Position: TypeAlias = tuple[datetime, UUID]
"""`created_at` and `id` of the last row of a page. Pages are sorted by both, newest first."""
