"""The scaler's settings: how often it looks at a deployment, and how it launches. All times are in seconds."""

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from shared.metrics import WithMetrics
from shared.settings import WithDatabase


class ScalerSettings(WithDatabase, WithMetrics):
    """Events and held requests lead to a look at once; these are for what changes by time alone."""

    moving_look_seconds: PositiveFloat = 10.0
    """How often a deployment is looked at that has load, or whose replicas are not as wanted."""
    steady_look_seconds: PositiveFloat = 30.0
    """How often any other is; half of it is random."""
    reload_seconds: PositiveFloat = 60.0
    """How often a deployment is read again, in case an event was missed; half of it is random."""
    reload_instances_seconds: PositiveFloat = 300.0
    """The same for its instances."""
    reloads_at_once: PositiveInt = 32

    launch_answer_seconds: PositiveFloat = 30.0
    """An api looks the model up before it answers."""
    launch_retry_seconds: PositiveFloat = 5.0
    launch_longest_retry_seconds: PositiveFloat = 300.0
    """A refused launch is asked for again, with pauses that double between these; a change ends the pause."""

    hand_over_look_seconds: PositiveFloat = 60.0
    hand_over_seconds: PositiveFloat = 180.0
    """A deployment that nobody has held for so long, in every look, is handed over again."""

    load_history_days: PositiveInt = 8
    """For how long the load is kept in the database: a forecast looks back a week."""

    max_deployments: PositiveInt = 10_000
    max_checks: PositiveInt = 100
    """Of launched replicas, whether they are still wanted, at once."""
    stop_grace_seconds: NonNegativeFloat = 5.0
