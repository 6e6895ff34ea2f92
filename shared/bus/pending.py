"""How far behind each consumer of the event stream is: one metric for all, whoever knows it tells it."""

from typing import Final

from prometheus_client import Gauge

pending: Final = Gauge(
    "coldstart_consumer_pending_messages",
    "Messages that a consumer of the event stream has not got yet: durable ones, the projection, the followers' copy",
    ["consumer"],
)
held: Final = Gauge(
    "coldstart_consumer_held_messages", "Messages that are held as leases while their work is done", ["consumer"]
)
