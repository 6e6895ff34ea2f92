"""What belongs to others is as if it did not exist."""

from services.api.keys import ApiKey, Role
from services.api.mirror import Mirror
from services.api.organizations import Organization
from services.api.problems import FieldError, Problem, invalid
from shared.lifecycle.errors import InstanceUnknown
from shared.lifecycle.instance import Instance


def may_see(owner: ApiKey, instance: Instance) -> bool:
    """An administrator every instance, others those of their organisation."""
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


def organization_at(slug: str, owner: ApiKey, mirror: Mirror) -> Organization:
    """The one in an address. Raises Problem."""
    found = mirror.organizations.called(slug)
    if found is None or not may_see_organization(owner, found):
        raise unknown_organization(slug)
    return found


async def organization_named(slug: str | None, mirror: Mirror) -> Organization | None:
    """The one in a body's field `organization`, also when another process has just made it. Raises Problem."""
    if slug is None:
        return None
    if mirror.organizations.called(slug) is None:
        await mirror.load()
    found = mirror.organizations.called(slug)
    if found is None:
        detail = f"no organisation has the slug {slug!r}; GET /organizations lists those there are."
        raise invalid(FieldError(pointer="/organization", detail=detail))
    return found


def unknown_organization(slug: str) -> Problem:
    detail = f"No organisation has the slug {slug!r}; GET /organizations lists those that this key may see."
    return Problem(404, "organization_not_found", "There is no such organisation", detail)
