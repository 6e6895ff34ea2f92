"""Where a machine pulls its images from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Registry:
    """`mirror` is a host, perhaps with port and path, that has Docker Hub's images under their names; None: Docker Hub.

    `user` and `password` sign in to either; None: nobody does.
    """

    mirror: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def variables(self) -> Mapping[str, str]:
        """As the install's scripts name them, each empty if it is not to be used."""
        return {
            "REGISTRY_MIRROR": self.mirror or "",
            "REGISTRY_USER": self.user or "",
            "REGISTRY_PASSWORD": self.password or "",
        }
