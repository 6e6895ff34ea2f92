"""How our resources are told from others' in the same project.

`coldstart`                           for a person who looks at the console
`coldstart:installation:<uuid>`       whose they are, of several installations in one project
`coldstart:instance:<uuid>`           which instance's
"""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

OURS: Final = "coldstart"
_INSTALLATION: Final = f"{OURS}:installation:"
_INSTANCE: Final = f"{OURS}:instance:"


class Tags:
    def __init__(self, installation: UUID) -> None:
        self.installation = f"{_INSTALLATION}{installation}"

    def of(self, instance_id: UUID) -> list[str]:
        return [OURS, self.installation, self.instance(instance_id)]

    def instance(self, instance_id: UUID) -> str:
        return f"{_INSTANCE}{instance_id}"

    def of_whom(self, instance_id: UUID | None) -> str:
        """What to ask a list for: that instance's, or all of this installation."""
        return self.installation if instance_id is None else self.instance(instance_id)

    def borne(self, tags: Iterable[str], instance_id: UUID | None = None) -> bool:
        """Whether they are this installation's, and that instance's if one is given. A list's filter is not trusted."""
        wanted = {self.installation} if instance_id is None else {self.installation, self.instance(instance_id)}
        return wanted <= set(tags)

    def foreign(self, tags: Collection[str]) -> bool:
        """Whether they are Coldstart's, but not this installation's."""
        return OURS in tags and self.installation not in tags


def instance_in(tags: Iterable[str]) -> UUID | None:
    """None when no tag names one, as after somebody has edited them."""
    return _named(tags, _INSTANCE)


def installation_in(tags: Iterable[str]) -> UUID | None:
    """The same."""
    return _named(tags, _INSTALLATION)


def _named(tags: Iterable[str], prefix: str) -> UUID | None:
    for tag in tags:
        if tag.startswith(prefix):
            try:
                return UUID(tag.removeprefix(prefix))
            except ValueError:
                return None
    return None
