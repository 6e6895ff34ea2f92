"""Why an install failed, if its tools name a proxy, a certificate, a registry, a disk or the model's files. Pure.

The words are those of apt 2.6, curl 7.81 to 8.5, Docker 20.10 to 28, and our own scripts. What each code means and what
to do is in `shared/error_codes.py`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from services.provisioner.install.proxies import Proxies
from shared.error_codes import CODES, ExplainedCode


@dataclass(frozen=True)
class InstallCause:
    code: str
    passes: bool
    """Whether it often ends by itself."""
    marks: tuple[str, ...]
    """Regular expressions; a line that one of them is found in shows the cause."""

    @property
    def explained(self) -> ExplainedCode:
        return CODES[self.code]


_SERVER_FAILS: Final = "|".join(
    re.escape(status.phrase) for status in HTTPStatus if status >= HTTPStatus.INTERNAL_SERVER_ERROR
)
_HTTP: Final = 80
_ASKED: Final = r'(?:Get|Head) "?https?://[^\s"]+"?: '
_REGISTRY: Final = r'(?:Get|Head) "?https?://[^\s"]+/v2/[^\s"]*"?: '
CAUSES: Final = (
    InstallCause(
        "proxy_unreachable",
        passes=True,
        marks=(
            r"proxyconnect tcp: (?!.*x509: )",
            rf"{_ASKED}(?:{_SERVER_FAILS})$",
            r"Invalid response from proxy: HTTP/1\.[01] 5\d\d",
            r"The proxy answered 5\d\d",
            r"Could not resolve proxy: ",
        ),
    ),
    InstallCause(
        "proxy_refused",
        passes=False,
        marks=(
            rf"{_ASKED}(?!EOF$)[A-Z][A-Za-z' -]*$",  # a reason phrase: Go's own errors begin in lower case
            r"Invalid response from proxy: HTTP/1\.[01] 4\d\d",
            r"The proxy answered 4\d\d",
            r"HTTP code 4\d\d from proxy after CONNECT",
            r"CONNECT tunnel failed, response 4\d\d",
            r"Failed to fetch \S+  407  ",
            r"Proxy Authentication Required",
            r"returned error: 407|HTTP 407 response",
        ),
    ),
    InstallCause(
        "certificate_untrusted",
        passes=False,
        marks=(r"\bx509: ", r"The certificate is NOT trusted", r"SSL certificate problem: "),
    ),
    InstallCause(
        "registry_unreachable",
        passes=True,
        marks=(rf"{_REGISTRY}(?:dial tcp|net/http: |context deadline exceeded|EOF$|unexpected EOF)",),
    ),
    InstallCause(
        "registry_refused",
        passes=False,
        marks=(
            r"no basic auth credentials",
            r"pull access denied for ",
            r"^Error response from daemon: (?:denied|unauthorized)\b",
            r"requested access to the resource is denied",
            r"unauthorized: ",
            r"failed with status: 40[13]",
            r"parsing HTTP 40[13] response body",
            r"unexpected status from \w+ request to \S+: 40[13]",
            r"does not accept the login",
        ),
    ),
    InstallCause(
        "no_disk_room",
        passes=False,
        marks=(r" GB are missing\. Free some space", r" cannot be written: .*curl: \(23\) "),
    ),
    InstallCause("weights_refused", passes=False, marks=(r" cannot be fetched: the server answered 4\d\d\.$",)),
    InstallCause(
        "weights_differ",
        passes=False,
        marks=(
            r"each time its checksum was not that of the hub's list\.$",
            r" is shorter at the server than in the hub's",
        ),
    ),
    InstallCause(
        "weights_unreachable",
        passes=True,
        marks=(r": nothing more came in \d+ tries\.", r"^The download of the weights was ended \d+ times\.$"),
    ),
)
"""The first one that a line shows is the cause."""

_FOLLOWS: Final = re.compile(
    r"^E: (?:Unable to locate package|Unable to fetch some archives|Some index files failed)"
    r"|has no installation candidate|how to fix it, please visit|does not accept the login"
)
"""Last lines of a failure that an earlier line explains."""


@dataclass(frozen=True)
class Shown:
    """The cause, and the line that shows it."""

    cause: InstallCause
    line: str


def cause_of(output: Sequence[str], proxies: Proxies) -> Shown | None:
    """Why an install with these last lines failed; None if they name no such cause. `proxies` are the machine's."""
    lines = output if output and _FOLLOWS.search(output[-1]) else output[-1:]
    for cause in CAUSES:
        pattern = re.compile("|".join((*cause.marks, *_of_the_site(cause.code, proxies))))
        for line in reversed(lines):
            if pattern.search(line):
                return Shown(cause, line)
    return None


def _of_the_site(code: str, proxies: Proxies) -> Iterator[str]:
    """Neither apt nor curl says that an address is a proxy's, or that a proxy answered for a server."""
    for url in filter(None, (proxies.http, proxies.https)):
        parts = urlsplit(url)
        host, port = re.escape(parts.hostname or ""), parts.port or (443 if parts.scheme == "https" else _HTTP)
        if code == "proxy_unreachable":
            yield rf"connect(?:ion)? to \[?{host}\]?(?::| port ){port}\b"
            yield rf"Could not resolve '{host}'"
        if code == "proxy_refused" and port != _HTTP:
            yield rf"Failed to fetch http://[^:/]+/\S+  403  .*\[IP: \S+ {port}\]"
