"""Why a valid launch is refused.

Refused
├── DeploymentExists       a new one was asked for, and the name is taken
├── LaunchNotAllowed       only an administrator may launch this
├── ModelNotServable       vLLM would not start with this model
├── NoSpaceLeft            what is left of the stores' space is kept for ending instances
├── LimitReached           the organisation has reached its number of instances or its spending
└── InstanceTypesUnknown   the provider's offers are not known yet
"""

from services.api.refusals import Kind, Refused


class LaunchNotAllowed(Refused, kind=Kind.FORBIDDEN, code="launch_not_allowed", title="This key may not launch that"):
    pass


class ModelNotServable(Refused, kind=Kind.INVALID, code="model_not_servable", title="vLLM cannot serve this model"):
    pass


class DeploymentExists(Refused, kind=Kind.UNMET, code="deployment_exists", title="There is such a deployment already"):
    pass


class LimitReached(Refused, kind=Kind.FORBIDDEN, code="limit_reached", title="The organisation has reached a limit"):
    pass


class NoSpaceLeft(Refused, kind=Kind.UNAVAILABLE, code="no_space_left", title="There is no space left for launches"):
    """What is left of NATS's or PostgreSQL's disk is kept for ending instances."""


class InstanceTypesUnknown(
    Refused,
    kind=Kind.UNAVAILABLE,
    code="instance_types_unknown",
    title="The instance types are not known yet",
):
    pass
