"""A process's metrics over HTTP, for services without an HTTP server; in Prometheus's text format at /metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import disable_created_metrics, start_http_server
from pydantic import Field

from shared.settings import ServiceSettings


class WithMetrics(ServiceSettings):
    """If `metrics_port` is unset, metrics are not served."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)


def without_beginnings() -> None:
    """Leave out when each counter began: Prometheus does not ask for it, and it doubles the series."""
    disable_created_metrics()  # type: ignore[no-untyped-call]


@contextmanager
def metrics_served(settings: WithMetrics) -> Iterator[None]:
    """Serve metrics in a separate thread while the block runs. Raises OSError if the port is taken."""
    if settings.metrics_port is None:
        yield
        return
    without_beginnings()
    server, thread = start_http_server(settings.metrics_port, addr=settings.metrics_host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
