"""Tags that distinguish our resources from others in the same project.

`coldstart`                           for people who look at the console
`coldstart:installation:<uuid>`       the installation, since a project may have several
`coldstart:instance:<uuid>`           the instance; of snapshots and images, the one that built them
`coldstart:image:<uuid>`              of a snapshot: the image that was made of it and is being deleted
`coldstart-image-<label>=<value>`     of snapshots and images: what is on them
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final
from uuid import UUID

OURS: Final = "coldstart"
_INSTALLATION: Final = f"{OURS}:installation:"
_INSTANCE: Final = f"{OURS}:instance:"
_IMAGE: Final = f"{OURS}:image:"
_LABEL: Final = f"{OURS}-image-"


class Tags:
    def __init__(self, installation: UUID) -> None:
        self.installation = f"{_INSTALLATION}{installation}"

    def of(self, instance_id: UUID) -> list[str]:
        return [OURS, self.installation, self.instance(instance_id)]

    def instance(self, instance_id: UUID) -> str:
        return f"{_INSTANCE}{instance_id}"

    def of_whom(self, instance_id: UUID | None) -> str:
        """The tag to list by: that instance's, or this installation's."""
        return self.installation if instance_id is None else self.instance(instance_id)

    def borne(self, tags: Iterable[str], instance_id: UUID | None = None) -> bool:
        """Whether these tags name this installation, and that instance if given. A list's own filter is not trusted."""
        wanted = {self.installation} if instance_id is None else {self.installation, self.instance(instance_id)}
        return wanted <= set(tags)

    def foreign(self, tags: Collection[str]) -> bool:
        """Whether these are Coldstart's tags, but not this installation's."""
        return OURS in tags and self.installation not in tags


def of_image(image_id: str) -> str:
    return f"{_IMAGE}{image_id}"


def of_labels(labels: Mapping[str, str]) -> list[str]:
    return [f"{_LABEL}{name}={value}" for name, value in labels.items()]


def labels_in(tags: Iterable[str]) -> dict[str, str]:
    labelled = (tag.removeprefix(_LABEL).partition("=") for tag in tags if tag.startswith(_LABEL))
    return {name: value for name, _, value in labelled}


def instance_in(tags: Iterable[str]) -> UUID | None:
    """The instance that the tags name; None without one, e.g. after somebody has edited them."""
    return _named(tags, _INSTANCE)


def installation_in(tags: Iterable[str]) -> UUID | None:
    """The installation that the tags name; None without one."""
    return _named(tags, _INSTALLATION)


def _named(tags: Iterable[str], prefix: str) -> UUID | None:
    for tag in tags:
        if tag.startswith(prefix):
            try:
                return UUID(tag.removeprefix(prefix))
            except ValueError:
                return None
    return None
