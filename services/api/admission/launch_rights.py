"""Launches that only administrators may request, since they could take what belongs to others."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from services.api.access.api_keys import ApiKey, Role
from services.api.admission.errors import LaunchNotAllowed
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.cataloguing import Meant
from services.api.refusals import FieldError
from shared.images import is_allowed
from shared.lifecycle.wish import Wish

_COMMIT: Final = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


class NewModel(Protocol):
    """A model of the hub, by its id."""

    @property
    def model(self) -> str: ...
    @property
    def gated(self) -> bool: ...


class LaunchRights:
    def __init__(self, access: AccessCache, allowed_images: Sequence[str]) -> None:
        self._access = access
        self._allowed_images = allowed_images

    async def check(self, owner: ApiKey, wanted: Wish, meant: Meant) -> None:
        """Raises LaunchNotAllowed."""
        if owner.role is Role.ADMIN:
            return
        errors = list(self._errors(wanted, meant))
        if self._access.catalogue.named(meant.model) is None:
            await self._access.load()  # another process may just have created an organisation with this name
            if why := self.why_not_add(owner, meant):
                errors.insert(0, FieldError(pointer="/model", detail=why))
        if errors:
            detail = " ".join(error.detail for error in errors)
            raise LaunchNotAllowed(detail, errors=tuple(errors))

    def may_add(self, owner: ApiKey, meant: Meant) -> bool:
        """Whether a launch with this key may add the model to the catalogue, even one that was just removed."""
        return self.why_not_add(owner, meant) is None

    def why_not_add(self, owner: ApiKey, new: NewModel) -> str | None:
        """Why a launch with this key may not add the model to the catalogue; None if it may.

        Its name must not take an organisation's. And the owner of a gated model may grant our token access unasked.
        """
        if owner.role is Role.ADMIN:
            return None
        ask = f"ask an administrator to add it: coldstart models add {new.model}."
        namespace = new.model.partition("/")[0]
        if self._access.organizations.called(namespace.lower()):
            why = f"is not in the catalogue, and names that begin with {namespace}/ are reserved here"
            return f"{new.model} {why}: {ask}"
        if new.gated:
            return f"{new.model} is not in the catalogue, and needs our HF_TOKEN because it is gated: {ask}"
        return None

    def warnings(self, wanted: Wish, *, gated: bool) -> Iterator[str]:
        """Warnings for an administrator about what is allowed but most likely not meant."""
        if gated and wanted.image and not is_allowed(wanted.image, self._allowed_images):
            yield (
                f"{wanted.model} is gated, but {wanted.image} gets no HF_TOKEN: its repository is not in "
                "COLDSTART_ALLOWED_IMAGES."
            )

    def _errors(self, wanted: Wish, meant: Meant) -> Iterator[FieldError]:
        if wanted.image is not None and not is_allowed(wanted.image, self._allowed_images):
            known = ", ".join(self._allowed_images) or "none"
            detail = f"{wanted.image} may not be run with this key; repositories that may are {known}, with any tag. "
            detail += "Leave it out to have the configured image, or ask an administrator to add its repository to "
            yield FieldError(pointer="/image", detail=f"{detail}COLDSTART_ALLOWED_IMAGES.")
        if (meant.gated or meant.trust_remote_code) and wanted.revision is not None and _is_anybody_s(wanted.revision):
            why = "is gated, so it is given our HF_TOKEN" if meant.gated else "runs its own code"
            detail = f"{wanted.model} {why}, and anybody may propose a commit to it on the hub: name a branch or tag "
            detail += "without a slash, or ask an administrator to launch it."
            yield FieldError(pointer="/revision", detail=detail)


def _is_anybody_s(revision: str) -> bool:
    """Whether it may be a stranger's pull request: the hub has those as refs/pr/N, and their commits by hash."""
    return "/" in revision or _COMMIT.fullmatch(revision) is not None
