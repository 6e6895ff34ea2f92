"""The webhooks service's settings. All times are in seconds."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import NoDecode

from shared.metrics import WithMetrics
from shared.settings import WithDatabase, words

Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(words)]


class WebhooksSettings(WithDatabase, WithMetrics):
    """`webhooks_retry_seconds`: the pause after each failed try of a message; after the last one it is given up.

    `webhooks_switch_off_seconds`: a webhook that has failed for so long, without any success, is switched off.
    """

    master_secret: SecretStr = Field(min_length=32)

    webhooks_allow_private: Networks = Field(default=(), examples=["networks with commas, such as 10.1.0.0/16"])
    """Networks that are not public and may receive all the same, also over plain HTTP."""
    webhooks_timeout_seconds: PositiveFloat = 15.0
    """From the name's look-up to the end of the answer's headers."""
    webhooks_retry_seconds: Annotated[
        tuple[PositiveFloat, ...], NoDecode, BeforeValidator(words), Field(examples=["pauses with commas: 5,60,300"])
    ] = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18000.0, 21600.0, 36000.0)
    webhooks_pause_seconds: PositiveFloat = 1.0
    webhooks_longest_pause_seconds: PositiveFloat = 300.0
    """After a failed try, nothing is sent to that webhook for the first of these, doubled up to the second."""
    webhooks_switch_off_seconds: PositiveFloat = 5 * 86_400.0
    webhooks_history_days: PositiveFloat = 7.0
    """For how long it is kept what became of a message."""
    webhooks_at_once: PositiveInt = 100
    """Webhooks that one process sends to at the same time."""
    webhooks_claim_seconds: PositiveFloat = 30.0
    """Beyond the longest try: after how long another process sends to a webhook whose sender was killed."""
    webhooks_look_seconds: PositiveFloat = 5.0
    """How often it is looked for due messages, in case a notification was lost."""

    standby_seconds: PositiveFloat = 0.5
    stream_heartbeat_seconds: float = Field(default=1.0, ge=0.1)
    longest_pause_seconds: PositiveFloat = 5.0
    stop_grace_seconds: NonNegativeFloat = 5.0
