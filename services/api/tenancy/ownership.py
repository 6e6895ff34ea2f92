"""Resources of other organisations are treated as if they did not exist."""

from uuid import UUID

from services.api.access.api_keys import ApiKey, Role
from services.api.access.errors import Forbidden
from services.api.refusals import FieldError, invalid
from services.api.tenancy.errors import OrganizationUnknown
from services.api.tenancy.organizations import KnownOrganizations, Organization
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance


def may_see(owner: ApiKey, instance: Instance) -> bool:
    """An administrator may see every instance, others those of their organisation."""
    if owner.role is Role.ADMIN:
        return True
    return owner.organization_id is not None and owner.organization_id == instance.specification.organization_id


def own(owner: ApiKey, instance: Instance) -> Instance:
    """Raises InstanceUnknown."""
    if not may_see(owner, instance):
        raise InstanceUnknown(instance.id)
    return instance


def may_see_organization(owner: ApiKey, organization: Organization) -> bool:
    return owner.role is Role.ADMIN or owner.organization_id == organization.id


def organization_at(slug: str, owner: ApiKey, access: KnownOrganizations) -> Organization:
    """The organisation named in an address. Raises OrganizationUnknown."""
    found = access.organizations.called(slug)
    if found is None or not may_see_organization(owner, found):
        raise unknown_organization(slug)
    return found


async def organization_for(slug: str | None, owner: ApiKey, access: KnownOrganizations) -> Organization | None:
    """The organisation that will own an instance requested by `owner`; None: shared by all. Raises Refused."""
    if owner.role is Role.ADMIN:
        return await organization_named(slug, access)
    its = access.organization_of(owner)
    if its is None or slug not in (None, its.slug):
        detail = "A user's key creates instances of its own organisation only; leave `organization` out."
        raise Forbidden(detail)
    return its


def whose(slug: str | None, owner: ApiKey, access: KnownOrganizations) -> UUID | None:
    """The organisation that a list is limited to: a user's own, or any for administrators. Raises Refused."""
    if slug is not None:
        return organization_at(slug, owner, access).id
    return owner.organization_id


async def organization_named(slug: str | None, access: KnownOrganizations) -> Organization | None:
    """The organisation in a body's field `organization`, even if another process just made it. Raises Invalid."""
    if slug is None:
        return None
    if access.organizations.called(slug) is None:
        await access.load()
    found = access.organizations.called(slug)
    if found is None:
        detail = f"no organisation has the slug {slug!r}; GET /organizations lists all."
        raise invalid(FieldError(pointer="/organization", detail=detail))
    return found


def unknown_organization(slug: str) -> OrganizationUnknown:
    detail = f"No organisation has the slug {slug!r}; GET /organizations lists those that this key may see."
    return OrganizationUnknown(detail)
