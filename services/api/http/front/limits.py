"""What a client may cost before it is known."""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.api.http.inference_paths import is_inference

_OWN_FILES: Final = 256
"""Descriptors for everything but clients: the database, NATS, the log, and connections being opened or closed."""
_FILES_A_CLIENT: Final = 2
"""A request for a model also has a connection to a worker."""
_FORMS: Final = frozenset({"/sign-in", "/sign-out"})
"""The only routes that read a body without a key."""
_FORM_BYTES: Final = 16_384


def as_it_is(path: str) -> str:
    return path


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bytes and seconds.

    `head_s`: from its first byte; also for a silent connection. `kept_alive_s`: without a request after an answer.
    `discard_s`: how long the rest of a refused upload is read and discarded. `stall_s`: how long a client may stop
    reading its answer. `pipelined`: requests that may be sent before the answer to one. `meant`: the path whose limits
    and errors count; another one for a client whose base URL is wrong, which the application tells so.
    """

    head_bytes: int = 32_768
    target_bytes: int = 8_192
    headers: int = 100
    body_bytes: int = 1_000_000
    inference_body_bytes: int = 32_000_000
    head_s: float = 10.0
    body_s: float = 60.0
    kept_alive_s: float = 75.0
    discard_s: float = 10.0
    stall_s: float = 30.0
    pipelined: int = 8
    connections: int = 10_000
    meant: Callable[[str], str] = as_it_is

    def body_bytes_of(self, path: str) -> int:
        if path in _FORMS:
            return min(_FORM_BYTES, self.body_bytes)
        inference = is_inference(path) or is_inference(self.meant(path))
        return self.inference_body_bytes if inference else self.body_bytes


def raise_descriptor_limit() -> int:
    """Raise the process's soft limit of open files to its hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_connections(wanted: int, files: int) -> int:
    """How many of the wanted connections a process with this many descriptors can hold."""
    if files == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (files - _OWN_FILES) // _FILES_A_CLIENT))
