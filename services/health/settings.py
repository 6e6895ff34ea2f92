"""The health service's settings: how often it looks, and its deadlines. All times are in seconds."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from shared.metrics import WithMetrics
from shared.settings import WithStartup


class HealthSettings(WithStartup, WithMetrics):
    """`startup_seconds` counts from the address (or the reinstall) to ready, the other limits from the status's start.

    It counts anew from a restart of the server that has erased its models.

    `router_staleness_seconds` is how long a router may still send requests along a route that is gone.
    """

    startup_look_seconds: PositiveFloat = 0.15
    ready_look_seconds: PositiveFloat = 5.0
    draining_look_seconds: PositiveFloat = 1.0
    counts_look_seconds: PositiveFloat = 30.0
    """How often a ready worker is asked what it runs and produces; one that may idle out is asked at each look."""
    reload_seconds: PositiveFloat = 60.0
    """How often an instance is read again, in case an event was missed; half of it is random."""
    reloads_at_once: PositiveInt = 32

    ready_passes: PositiveInt = 2
    lost_after_failures: PositiveInt = 3
    restored_after_passes: PositiveInt = 2

    hang_seconds: PositiveFloat = 300.0
    """An engine that has requests and produces nothing for so long hangs."""
    stopped_seconds: PositiveFloat = 300.0
    """How long a launch waits for a server that somebody stopped at the provider."""
    unavailable_seconds: PositiveFloat = 900.0
    drain_seconds: PositiveFloat = 600.0
    router_staleness_seconds: NonNegativeFloat = 15.0

    lag_seconds: PositiveFloat = 0.25
    """If this process runs so much later than planned during a look, a worker's silence in it counts for nothing."""
    outage_workers: PositiveInt = 3
    outage_share: PositiveFloat = Field(default=0.5, le=1.0)
    outage_seconds: PositiveFloat = 60.0
    """If at least so many workers, and such a part of all, fall silent within this time, none is taken for dead."""
    outage_grace_seconds: NonNegativeFloat = 60.0
    """For how long after such an outage still none is."""

    connect_seconds: PositiveFloat = 0.5
    answer_seconds: PositiveFloat = 5.0
    warmup_seconds: PositiveFloat = 15.0
    probes_at_once: PositiveInt = 512

    log_connect_seconds: PositiveFloat = 10.0
    """Time limit for connecting to a machine to read its worker's log, and the interval of keep-alives."""
    log_retry_seconds: PositiveFloat = 2.0
    logs_at_once: PositiveInt = 200

    max_watches: PositiveInt = 10_000
    stop_grace_seconds: NonNegativeFloat = 5.0
