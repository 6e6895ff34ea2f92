"""Builds the server that clients connect to."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from litestar.types import ASGIApp

from services.api.http.front.limits import ClientLimits, most_connections, raise_descriptor_limit
from services.api.http.server import serving
from services.api.http.settings import HttpSettings
from services.api.records.place import ProcessPlace


def serving_as_set(
    app: ASGIApp,
    settings: HttpSettings,
    *,
    meant: Callable[[str], str],
    on_leaving: Callable[[], None],
    on_time_up: Callable[[], None],
    place: ProcessPlace,
) -> AbstractAsyncContextManager[str]:
    """As `serving`; `meant` as in ClientLimits. Raises the process's limit of open files."""
    limits = ClientLimits(
        head_bytes=settings.max_head_bytes,
        target_bytes=settings.max_target_bytes,
        headers=settings.max_headers,
        body_bytes=settings.max_body_bytes,
        inference_body_bytes=settings.max_inference_body_bytes,
        head_s=settings.request_head_seconds,
        body_s=settings.request_body_seconds,
        kept_alive_s=settings.client_kept_alive_seconds,
        discard_s=settings.discard_seconds,
        stall_s=settings.stall_seconds,
        connections=most_connections(place.part(settings.max_connections), raise_descriptor_limit()),
        meant=meant,
    )
    return serving(
        app,
        settings.api_host,
        settings.api_port,
        limits=limits,
        grace_s=settings.shutdown_seconds,
        on_leaving=on_leaving,
        on_time_up=on_time_up,
        beside_others=place.processes > 1,
    )
