"""A process's own metrics over HTTP, for services that serve nothing else; in Prometheus's text format at /metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server
from pydantic import Field

from shared.settings import ServiceSettings


class WithMetrics(ServiceSettings):
    """`metrics_port` unset: they are not served."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)


@contextmanager
def metrics_served(settings: WithMetrics) -> Iterator[None]:
    """While the block runs, in a thread of their own. Raises OSError when the port is taken."""
    if settings.metrics_port is None:
        yield
        return
    server, thread = start_http_server(settings.metrics_port, addr=settings.metrics_host)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
