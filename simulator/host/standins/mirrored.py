"""curl and sha256sum for files that are not the simulated hub's: a server on this computer really has them."""

from argparse import Namespace
from functools import cache
from hashlib import file_digest
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession
from yarl import URL

from simulator.host.standins.call import Call, Refused
from simulator.hub.files import repository
from simulator.hub.models import MODELS

_CLOSED: Final = 18
_HTTP_ERROR: Final = 22


async def fetch(url: str, given: Namespace, call: Call) -> int:
    """From where the output ends. Returns curl's exit status."""
    if urlsplit(url).hostname != "127.0.0.1":
        raise Refused(f"the simulated machines do not reach {urlsplit(url).hostname}")
    if given.header is not None:
        raise Refused("a range of a file that is really there")
    with given.output.open("ab") as writing:
        ranged = {"Range": f"bytes={writing.tell()}-"} if writing.tell() else {}
        try:
            async with ClientSession() as session, session.get(URL(url, encoded=True), headers=ranged) as answer:
                given.dump_header.write_text(f"HTTP/1.1 {answer.status} \r\n\r\n")
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    call.err(f"curl: (22) The requested URL returned error: {answer.status}")
                    return _HTTP_ERROR
                async for piece in answer.content.iter_any():
                    writing.write(piece)
        except ClientError as error:
            call.err(f"curl: (18) {error}")
            return _CLOSED
    return 0


def sum_of(path: Path) -> str:
    with path.open("rb") as reading:
        return file_digest(reading, "sha256").hexdigest()


@cache
def checksums_of_the_hub() -> frozenset[str]:
    """Of all large files, whose content is made up nowhere."""
    return frozenset(
        file.sha256 for model in MODELS.values() for file in repository(model).values() if file.sha256 is not None
    )
