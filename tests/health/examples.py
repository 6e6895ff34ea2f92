"""Settings that let the real thing run in fractions of a second."""

from typing import Any, Final

from services.health.settings import HealthSettings

SECRET: Final = "a master secret that is long enough for anybody"
LEASE_S: Final = 30.0
"""A busy machine cannot extend in time what is much shorter: the holder then loses it, as it should."""


def a_pace(**overrides: Any) -> HealthSettings:
    example = {
        "master_secret": SECRET,
        "lease_seconds": LEASE_S,
        "startup_look_seconds": 0.02,
        "ready_look_seconds": 0.05,
        "draining_look_seconds": 0.02,
        "reload_seconds": 10.0,
        "startup_seconds": 60.0,
        "unavailable_seconds": 60.0,
        "drain_seconds": 60.0,
        "worker_tls": "off",
        "router_staleness_seconds": 0.1,
        "stop_grace_seconds": 2.0,
    }
    return HealthSettings.model_validate(example | overrides)
