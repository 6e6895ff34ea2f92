"""Metrics of your instances from their events, for Prometheus, at port 9400.

Each event carries the whole instance, so the last event of each is all that has to be remembered.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import nats
from prometheus_client import Histogram, start_http_server
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

LAUNCH = Histogram(
    "my_launch_seconds", "From the request to the first answer", ["model"], buckets=[60, 120, 300, 600, 1200, 2400]
)
instances: dict[str, dict[str, Any]] = {}


class Instances(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        by_status = GaugeMetricFamily("my_instances", "Instances by model and status", labels=["model", "status"])
        price = GaugeMetricFamily("my_price_per_hour", "List price of all that is switched on", labels=["currency"])
        counts = Counter((one["specification"]["model"], one["status"]) for one in instances.values())
        for labels, number in counts.items():
            by_status.add_metric(labels, number)
        prices: Counter[str] = Counter()
        for one in instances.values():
            if one["hourly_price"] and any(period["until"] is None for period in one["powered"]):
                prices[one["currency"]] += one["hourly_price"]
        for currency, total in prices.items():
            price.add_metric([currency], total)
        yield from (by_status, price)


def learn(event: dict[str, Any]) -> None:
    instance = event["data"].get("instance")
    if instance is None:  # it is of a deployment
        return
    instances[instance["id"]] = instance
    if event["type"] == "InstanceReady" and instance["attempt"] == 1:
        seconds = (
            datetime.fromisoformat(instance["ready_at"]) - datetime.fromisoformat(instance["created_at"])
        ).total_seconds()
        LAUNCH.labels(instance["specification"]["model"]).observe(seconds)
    if instance["status"] == "archived":
        del instances[instance["id"]]


async def main() -> None:
    REGISTRY.register(Instances())
    start_http_server(int(os.environ.get("PORT", "9400")), addr="127.0.0.1")
    connection = await nats.connect(os.environ["NATS_URL"])
    events = await connection.jetstream().subscribe("lifecycle.>", stream="LIFECYCLE", ordered_consumer=True)
    print("listening", flush=True)
    async for message in events.messages:
        learn(json.loads(message.data))


asyncio.run(main())
