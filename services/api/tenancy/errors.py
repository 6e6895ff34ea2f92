"""Why something of an organisation is refused."""

from services.api.refusals import Kind, Refused


class OrganizationUnknown(
    Refused, kind=Kind.NOT_FOUND, code="organization_not_found", title="There is no such organisation"
):
    """There is none, or not for this key."""
