"""Statuses that the router, the control API and the sums of usage must agree about."""

from typing import Final

LOWEST_ERROR: Final = 400
CLIENT_LEFT: Final = 499
"""nginx's status of a request whose client left before its answer was complete."""
