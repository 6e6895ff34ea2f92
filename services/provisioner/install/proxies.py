"""The proxies by which a machine and its worker reach the network. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Proxies:
    """URLs, perhaps with a password, and what is reached without them; loopback always is."""

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    without: tuple[str, ...] = ()

    def variables(self) -> Mapping[str, str]:
        """By their usual names, each empty if it is not to be set."""
        without = ",".join((*_LOOPBACK, *self.without)) if self.http or self.https else ""
        return {"HTTP_PROXY": self.http or "", "HTTPS_PROXY": self.https or "", "NO_PROXY": without}
