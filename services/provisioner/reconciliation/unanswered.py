"""Machine images whose servers never answer SSH, found from the launches that ended."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.lifecycle.events import InstanceStarted, SshReachable
from shared.lifecycle.instance import Instance

AT_MOST: Final = 2
"""So many launches in a row may fail before the image is not chosen any more: one may have had a broken machine."""
_TIMEOUT: Final = "startup_timeout"


def answered(launch: Instance) -> bool | None:
    """Whether a server that booted from a machine image has answered SSH; None if it was not waited for."""
    if launch.machine_image is None:
        return None
    if launch.attempt > 1 or launch.reached(SshReachable):
        return True
    failed = launch.error is not None and launch.error.code == _TIMEOUT
    return False if failed and launch.reached(InstanceStarted) else None


class Unanswered:
    """Remembers of each image its last launches. Who starts anew reads all instances again."""

    def __init__(self) -> None:
        self._launches: defaultdict[str, dict[UUID, tuple[datetime, bool]]] = defaultdict(dict)

    def note(self, launches: Iterable[Instance]) -> None:
        for launch in launches:
            has = answered(launch)
            if launch.machine_image is None or has is None:
                continue
            of_image = self._launches[launch.machine_image]
            of_image[launch.id] = (launch.created_at, has)
            if len(of_image) > AT_MOST:
                del of_image[min(of_image, key=lambda each: of_image[each][0])]

    def __contains__(self, image_id: object) -> bool:
        """Whether the last launches from this image all failed so."""
        launches = self._launches.get(str(image_id), {})
        return len(launches) == AT_MOST and not any(has for _, has in launches.values())
