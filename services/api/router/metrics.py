"""The router's metrics."""

import math
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from services.api.router.balance import Balance
from services.api.router.breakers import Breakers
from services.api.router.routes import Routes
from shared.clock import seconds

retries: Final = Counter("coldstart_router_retries_total", "Requests sent to another worker after one failed")
waiting: Final = Gauge("coldstart_router_requests_waiting", "Requests held until an instance is ready")
age: Final = Gauge("coldstart_routing_table_age_seconds", "Time since the routing table was known to be up to date")
in_flight: Final = Gauge("coldstart_router_requests_in_flight", "Requests that a worker is answering")
set_aside: Final = Gauge("coldstart_router_workers_set_aside", "Workers that failed and have answered no probe since")
corrections: Final = Counter("coldstart_router_corrections_total", "Instances corrected from the read model")
tokens: Final = Counter("coldstart_router_tokens_total", "Tokens that the workers reported", ["kind"])
prompt_tokens: Final = tokens.labels("prompt")
completion_tokens: Final = tokens.labels("completion")
_snapshot_age: Final = Gauge(
    "coldstart_router_snapshot_age_seconds", "Age of the keys and routes that are kept on disk; infinite without any"
)
_snapshot_age.set(math.inf)
first_byte: Final = Histogram(
    "coldstart_router_first_byte_seconds",
    "From the request to the first byte of a worker's answer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)


def snapshot_taken_at(moment: datetime) -> None:
    """From now on, this is the newest snapshot on disk."""
    _snapshot_age.set_function(lambda: max(0.0, seconds() - moment.timestamp()))


class Gauges:
    """Values that are read when /metrics is asked for, instead of being counted."""

    def __init__(self, feed: Routes, balance: Balance, breakers: Breakers) -> None:
        self._feed = feed
        self._balance = balance
        self._breakers = breakers

    def look(self) -> None:
        age.set(self._feed.age)
        in_flight.set(self._balance.total)
        set_aside.set(self._breakers.open)
