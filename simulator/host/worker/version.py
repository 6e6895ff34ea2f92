"""The version of vLLM that a worker plays, by the tag of its image.

Two versions were recorded: 0.13.0 and 0.32.0. Every other version answers as the one or the other; where the border is,
is a guess.
"""

import re
from dataclasses import dataclass
from typing import Final

_TAG: Final = re.compile(r":v(\d+)\.(\d+)\.(\d+)")
_RECENT: Final = (0, 22, 0)
"""The first release that is said to write "torch.compile took", which 0.32.0 writes and 0.13.0 does not."""


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    @property
    def recent(self) -> bool:
        """Answers as 0.32.0 does; otherwise as 0.13.0."""
        return (self.major, self.minor, self.patch) >= _RECENT

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


NEWEST: Final = Version(0, 32, 0)


def version_of(image: str) -> Version:
    """By a tag such as `v0.13.0` or `v0.32.0-cu129`; an image without a version is the newest."""
    tag = _TAG.search(image)
    return Version(*map(int, tag.groups())) if tag else NEWEST
