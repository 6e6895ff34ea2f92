"""Refusals about organisations."""

from services.api.refusals import Kind, Refused


class OrganizationUnknown(
    Refused, kind=Kind.NOT_FOUND, code="organization_not_found", title="There is no such organisation"
):
    """It does not exist, or not for this key."""
