"""Whether another try of an install may succeed, from how the former ones failed. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from services.provisioner.install.causes import cause_of
from services.provisioner.install.proxies import Proxies
from shared.lifecycle.events import SshInstallFailed

_PASSES: Final = re.compile(
    r"temporary failure|try again|timed out|time-?out|connection (?:refused|reset)|unexpected EOF"
    r"|no route to host|network is unreachable|could(?:n't| not) resolve|no such host|name resolution"
    r"|failed to fetch|hash sum mismatch|file has unexpected size|undetermined error|mirror sync in progress"
    r"|toomanyrequests|too many requests|rate limit|unexpected http status: 5\d\d"
    r"|service unavailable|bad gateway|requested URL returned error: (?:429|5\d\d)|was not pulled within",
    re.IGNORECASE,
)
"""Words of apt, curl, Docker and our own scripts for what a mirror, a registry or the network may get over."""
_NUMBERS: Final = re.compile(r"\d+")


def may_pass(failure: SshInstallFailed, proxies: Proxies) -> bool:
    """Whether its cause lies outside of the machine, and often ends by itself. `proxies` are the machine's."""
    if shown := cause_of(failure.output, proxies):
        return shown.cause.passes
    return any(_PASSES.search(line) for line in (*failure.output, failure.reason))


def in_vain(failures: Sequence[SshInstallFailed], most_alike: int, proxies: Proxies) -> bool:
    """Whether the last tries, so many of them, failed alike for a reason that does not pass. Oldest first."""
    last = failures[-most_alike:]
    alike = {_signature(failure) for failure in last}
    return len(last) == most_alike and len(alike) == 1 and not any(may_pass(failure, proxies) for failure in last)


def _signature(failure: SshInstallFailed) -> tuple[int | None, str | None, str]:
    """Numbers aside: times, sizes and process ids differ from one try to the next."""
    return failure.exit_status, failure.phase, _NUMBERS.sub("0", failure.output[-1] if failure.output else "")
