"""What an organisation's key may not launch although an administrator's may: it would take what is not its own."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from services.api.catalogue import Model
from services.api.cataloguing import Meant
from services.api.keys import ApiKey, Role
from services.api.mirror import Mirror
from services.api.problems import FieldError, Problem
from shared.images import is_allowed
from shared.lifecycle.events import Specification

_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)


class LaunchRights:
    def __init__(self, mirror: Mirror, allowed_images: Sequence[str]) -> None:
        self._mirror = mirror
        self._allowed_images = allowed_images

    async def check(self, owner: ApiKey, wanted: Specification, meant: Meant) -> None:
        """Raises Problem `launch_not_allowed`, of the first thing that needs an administrator."""
        if not isinstance(meant, Model):
            await self._mirror.load()  # another process may just have made an organisation of this name
        if owner.role is not Role.ADMIN and (errors := (*self._of_the_model(meant), *self._of_the_rest(wanted))):
            raise Problem(403, "launch_not_allowed", "This key may not launch that", errors[0].detail, errors=errors)

    def may_add(self, owner: ApiKey, meant: Meant) -> bool:
        """Whether a launch with this key may bring the model into the catalogue."""
        return owner.role is Role.ADMIN or isinstance(meant, Model) or not any(self._of_the_model(meant))

    def warnings(self, wanted: Specification) -> Iterator[str]:
        """What an administrator may do and most likely does not mean to."""
        if wanted.gated and wanted.image and not is_allowed(wanted.image, self._allowed_images):
            yield (
                f"{wanted.model} is gated, but {wanted.image} gets no HF_TOKEN: its repository is not in "
                "COLDSTART_ALLOWED_IMAGES."
            )

    def _of_the_model(self, meant: Meant) -> Iterator[FieldError]:
        """Of one that is not in the catalogue yet.

        Its name may not take an organisation's; and whoever owns a gated model may let our token's owner in unasked.
        """
        if isinstance(meant, Model):
            return
        ask = f"ask an administrator to add it: coldstart models add {meant.model}"
        namespace = meant.model.partition("/")[0]
        if self._mirror.organizations.called(namespace.lower()):
            why = f"is not in the catalogue, and names that begin with {namespace}/ are reserved here"
            yield FieldError(pointer="/model", detail=f"{meant.model} {why}: {ask}.")
        elif meant.gated:
            why = "is not in the catalogue, and needs our HF_TOKEN because it is gated"
            yield FieldError(pointer="/model", detail=f"{meant.model} {why}: {ask}.")

    def _of_the_rest(self, wanted: Specification) -> Iterator[FieldError]:
        if wanted.image is not None and not is_allowed(wanted.image, self._allowed_images):
            known = ", ".join(self._allowed_images) or "none"
            detail = f"{wanted.image} may not be run with this key; repositories that may are {known}, with any tag. "
            detail += "Leave it out to have the configured image, or ask an administrator to add its repository to "
            yield FieldError(pointer="/image", detail=f"{detail}COLDSTART_ALLOWED_IMAGES.")
        if wanted.gated and wanted.revision is not None and _is_anybody_s(wanted.revision):
            detail = f"{wanted.model} is gated, so it is given our HF_TOKEN, and anybody may propose a commit to it on "
            detail += "the hub: name a branch or tag without a slash, or ask an administrator to launch it."
            yield FieldError(pointer="/revision", detail=detail)


def _is_anybody_s(revision: str) -> bool:
    """Whether it may be a pull request of a stranger: the hub has those as refs/pr/N, and their commits by hash."""
    return "/" in revision or _COMMIT.fullmatch(revision) is not None
