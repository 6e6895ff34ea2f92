"""Why a valid launch is refused.

Refused
├── LaunchNotAllowed       only an administrator may launch this
├── ModelNotServable       vLLM would not start with this model
├── LimitReached           the organisation has reached its number of instances or its spending
└── InstanceTypesUnknown   the provider's offers are not known yet
"""

from services.api.refusals import Kind, Refused


class LaunchNotAllowed(Refused, kind=Kind.FORBIDDEN, code="launch_not_allowed", title="This key may not launch that"):
    pass


class ModelNotServable(Refused, kind=Kind.INVALID, code="model_not_servable", title="vLLM cannot serve this model"):
    pass


class LimitReached(Refused, kind=Kind.FORBIDDEN, code="limit_reached", title="The organisation has reached a limit"):
    pass


class InstanceTypesUnknown(
    Refused,
    kind=Kind.UNAVAILABLE,
    code="instance_types_unknown",
    title="The instance types are not known yet",
):
    pass
