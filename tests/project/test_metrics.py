"""Metrics are served for as long as the service runs, where a port was given."""

import http.client
import socket

import pytest
from prometheus_client import Counter

from services.health.settings import HealthSettings
from services.progress.settings import ProgressSettings
from services.provisioner.settings import ProvisionerSettings
from services.scaler.settings import ScalerSettings
from services.webhooks.settings import WebhooksSettings
from shared.metrics import WithMetrics, metrics_served

COUNTED = Counter("coldstart_test_metrics_served", "Something that a test counts")


def a_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def told(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.real
def test_metrics_are_told_on_the_given_port_until_the_service_ends() -> None:
    port = a_free_port()
    COUNTED.inc()
    with metrics_served(WithMetrics(metrics_port=port)):
        assert "coldstart_test_metrics_served_total 1.0" in told(port)
    with pytest.raises(ConnectionRefusedError):
        told(port)


def test_without_a_port_nothing_is_served() -> None:
    with metrics_served(WithMetrics()):
        pass


@pytest.mark.parametrize(
    "settings", [HealthSettings, ProgressSettings, ProvisionerSettings, ScalerSettings, WebhooksSettings]
)
def test_every_service_without_a_port_of_its_own_can_tell_its_metrics(settings: type[WithMetrics]) -> None:
    assert issubclass(settings, WithMetrics)
