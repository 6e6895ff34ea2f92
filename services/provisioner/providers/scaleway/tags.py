"""How our resources are told from others' in the same project.

`coldstart`                           for a person who looks at the console
`coldstart:installation:<uuid>`       whose they are, of several installations in one project
`coldstart:instance:<uuid>`           which instance's
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

OURS: Final = "coldstart"
_INSTANCE: Final = f"{OURS}:instance:"


class Tags:
    def __init__(self, installation: UUID) -> None:
        self.installation = f"{OURS}:installation:{installation}"

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


def instance_in(tags: Iterable[str]) -> UUID | None:
    """None when no tag names one, as after somebody has edited them."""
    for tag in tags:
        if tag.startswith(_INSTANCE):
            try:
                return UUID(tag.removeprefix(_INSTANCE))
            except ValueError:
                return None
    return None
