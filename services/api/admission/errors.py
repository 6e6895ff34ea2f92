"""Why a launch is refused, besides what is invalid in it.

Refused
├── LaunchNotAllowed       the key may not launch that, although an administrator's may
├── LimitReached           the organisation has as many instances, or spends as much, as it may
└── InstanceTypesUnknown   the provider has not told yet what it offers
"""

from services.api.refusals import Kind, Refused


class LaunchNotAllowed(Refused, kind=Kind.FORBIDDEN, code="launch_not_allowed", title="This key may not launch that"):
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
