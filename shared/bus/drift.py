"""How a stream or consumer differs from what the topology declares. Pure.

A cluster's operator may place streams as they wish, so placement and replicas do not count as drift.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isclose
from typing import Any, Final

from nats.js.api import ConsumerConfig, ConsumerInfo, StreamConfig

_NOT_OF_A_STREAM: Final = frozenset({"name", "description", "metadata", "num_replicas", "placement", "first_seq"})
_NOT_OF_A_CONSUMER: Final = frozenset(
    {
        *("name", "description", "metadata", "num_replicas", "max_waiting"),
        *("ack_wait", "filter_subject", "filter_subjects", "pause_until"),  # compared by their meaning
    }
)
PAUSED: Final = "paused"
_SAME_S: Final = 1e-6
"""The server keeps whole nanoseconds."""
_UNSET: Final[Sequence[Any]] = (None, False, 0, -1, "", "none", "default", [], {})
"""Values by which the server and its client express that a field is not set."""


def of_stream(declared: StreamConfig, found: StreamConfig) -> tuple[str, ...]:
    """The names of the fields that differ."""
    return _differing(declared, found, _NOT_OF_A_STREAM)


def of_consumer(declared: ConsumerConfig, found: ConsumerInfo) -> tuple[str, ...]:
    """The names of the fields that differ; `PAUSED` if it is paused."""
    differing = list(_differing(declared, found.config, _NOT_OF_A_CONSUMER))
    if _filters(declared) != _filters(found.config):
        differing.append("filter_subjects")
    if not isclose(declared.ack_wait or 0.0, found.config.ack_wait or 0.0, abs_tol=_SAME_S):
        differing.append("ack_wait")
    if found.paused:
        differing.append(PAUSED)
    return tuple(differing)


def _differing(
    declared: StreamConfig | ConsumerConfig, found: StreamConfig | ConsumerConfig, left_out: Iterable[str]
) -> tuple[str, ...]:
    names = [field.name for field in fields(declared) if field.name not in left_out]
    return tuple(name for name in names if _plain(getattr(declared, name)) != _plain(getattr(found, name)))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if is_dataclass(value):
        value = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        value = {name: each for name, each in value.items() if each is not None}
    return None if value in _UNSET else value


def _filters(config: ConsumerConfig) -> Sequence[str]:
    return sorted({*(config.filter_subjects or ()), *filter(None, (config.filter_subject,))})
