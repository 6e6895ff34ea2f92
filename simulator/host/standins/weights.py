"""curl for the files of models, and sha256sum for them. A large file takes no room here: it is sparse."""

import asyncio
import hashlib
import re
from argparse import Namespace
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from os import SEEK_DATA, SEEK_END
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from simulator.host.model import DISK_READ, DISK_WRITE, HUB, NETWORK
from simulator.host.network_requests import AskedOf
from simulator.host.standins import mirrored
from simulator.host.standins.call import Call, Flags, Machine, Refused
from simulator.hub.files import RepositoryFile, repository
from simulator.hub.models import LEGACY, MODELS, Model
from simulator.scenario import FileError, FileFailure

_CLOSED: Final = 18
_HTTP_ERROR: Final = 22
_TOO_SLOW: Final = 28
_URL: Final = re.compile(r'^url = "(?P<url>[^"]+)"$', re.MULTILINE)
_RESOLVED: Final = re.compile(r"/(?:hub/)?(?P<model>[^/]+(?:/[^/]+)?)/resolve/(?P<commit>[0-9a-f]{40})/(?P<path>.+)")
_RANGE: Final = re.compile(r"Range: bytes=(?P<begin>\d+)-(?P<last>\d+)")
_BLOB: Final = re.compile("[0-9a-f]{64}")
_REFUSALS: Final = {
    FileError.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    FileError.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
_WRONG: Final = b"!"
"""The last byte that comes of a file with a wrong content. Nothing is written of a large file with the right one."""


@dataclass(frozen=True)
class Fetch:
    """One file on its way to `output`, of which it is the bytes from `begin` to `end`.

    It gives up after `patience_s` without a byte.
    """

    file: RepositoryFile
    output: Path
    patience_s: int
    failure: FileFailure | None
    begin: int
    end: int


async def curl(machine: Machine, call: Call) -> int:
    """With the URL and the token in its configuration, on standard input."""
    given = _flags().parse_args(call.arguments)
    url = _URL.search(call.input)
    if url is None or not given.output.is_relative_to(machine.disk.root):
        raise Refused(f"{call.input!r} into {given.output}")
    asked = _RESOLVED.fullmatch(unquote(urlsplit(url["url"]).path))
    if asked is None:
        return await mirrored.fetch(url["url"], given, call)
    model = _model(asked)
    file = repository(model).get(asked["path"]) if model else None
    failure = machine.file_failures.next(file.path) if file else None
    status = HTTPStatus.NOT_FOUND if file is None or machine.fault("weights") else HTTPStatus.OK
    if model and (model.gated or model.private) and 'header = "Authorization: Bearer ' not in call.input:
        status = HTTPStatus.UNAUTHORIZED
    elif failure is not None:
        status = _REFUSALS.get(failure.error, status)
    given.dump_header.write_text(_headers(status, machine.scenario.retry_after))
    if file is None or status != HTTPStatus.OK:
        call.err(f"curl: (22) The requested URL returned error: {status}")
        return _HTTP_ERROR
    begin, end = _span(given, file.size)
    before = _size_of(given.output)
    try:
        return await _transfer(machine, call, Fetch(file, given.output, given.speed_time, failure, begin, end))
    finally:
        machine.disk.network_requests.note(AskedOf.HUB, file.path, _size_of(given.output) - before)


async def copy_range(machine: Machine, call: Call) -> int:
    """Dd of a range to its place in the whole file, which stays sparse."""
    given = dict(argument.split("=", 1) for argument in call.arguments)
    source, whole, begin = Path(given.pop("if")), Path(given.pop("of")), int(given.pop("seek"))
    if given != {"bs": "4M", "oflag": "seek_bytes", "conv": "notrunc", "status": "none"}:
        raise Refused(" ".join(call.arguments))
    size, wrong = _looked_at(source)
    if machine.model is not None:
        await machine.model.move(size, {DISK_WRITE}, machine.model.rates.disk_write)
    _place(whole, begin, size, wrong=wrong)
    return 0


def _place(whole: Path, begin: int, size: int, *, wrong: bool) -> None:
    whole.touch()
    with whole.open("r+b") as writing:
        writing.truncate(max(writing.seek(0, SEEK_END), begin + size))
        if wrong:
            writing.seek(begin + size - 1)
            writing.write(_WRONG)


async def sha256sum(machine: Machine, call: Call) -> int:
    """Of what curl has fetched: the checksum that its name says, unless the content is wrong."""
    [argument] = call.arguments
    name = _BLOB.match(Path(argument).name)
    if name is None:
        raise Refused(argument)
    if name[0] not in mirrored.checksums_of_the_hub():
        call.out(f"{mirrored.sum_of(Path(argument))}  {argument}")
        return 0
    size, wrong = _looked_at(Path(argument))
    if machine.model is not None:
        await machine.model.move(size, {DISK_READ}, machine.model.rates.sha256)
    call.out(f"{hashlib.sha256(_WRONG).hexdigest() if wrong else name[0]}  {argument}")
    return 0


def _looked_at(path: Path) -> tuple[int, bool]:
    """Its bytes, and whether its content is wrong: of a right one, nothing is written."""
    with path.open("rb") as reading:
        size = reading.seek(0, SEEK_END)
        try:
            reading.seek(0, SEEK_DATA)
        except OSError:
            return size, False
        return size, True


def _flags() -> Flags:
    flags = Flags("curl")
    for quiet in ("--fail", "--location", "--silent", "--show-error", "--globoff"):
        flags.add_argument(quiet, action="store_true", required=True)
    flags.add_argument("--config", choices=("-",), required=True)
    flags.add_argument("--continue-at", required=True)
    flags.add_argument("--header", type=_RANGE.fullmatch)
    for option in ("--connect-timeout", "--speed-limit", "--speed-time"):
        flags.add_argument(option, type=int, required=True)
    flags.add_argument("--dump-header", type=Path, required=True)
    flags.add_argument("--output", type=Path, required=True)
    return flags


def _span(given: Namespace, size: int) -> tuple[int, int]:
    """Which bytes of the file the output is to hold: a range goes on where curl is told that the output ends."""
    if given.continue_at == "-" and given.header is None:
        return 0, size
    if given.header is None or given.continue_at != given.header["begin"]:
        raise Refused(f"--continue-at {given.continue_at} with {given.header}")
    return int(given.continue_at) - _size_of(given.output), min(size, int(given.header["last"]) + 1)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _model(asked: re.Match[str]) -> Model | None:
    """With this commit on the hub."""
    model = MODELS.get(LEGACY.get(asked["model"], asked["model"]))
    return model if model and model.sha == asked["commit"] else None


def _headers(status: int, retry_after: float | None) -> str:
    refused = status in _REFUSALS.values() and retry_after is not None
    return f"HTTP/2 {status} \r\n{f'retry-after: {ceil(retry_after or 0)}' if refused else ''}\r\n\r\n"


async def _transfer(machine: Machine, call: Call, fetch: Fetch) -> int:
    """From where the output ends, at the machine's rates if it has some."""
    failure, size = fetch.failure, fetch.end - fetch.begin
    with fetch.output.open("ab") as writing:
        has = writing.tell()

        def grow(moved: float) -> None:
            writing.truncate(has + int(moved))

        end = size
        if failure is not None and failure.error in (FileError.DROPPED, FileError.STALLED):
            end = min(end, has + round(failure.megabytes * 10**6))
        if fetch.file.content is not None:
            writing.write(fetch.file.content[fetch.begin + has : fetch.begin + end])
        elif machine.model is not None:
            links = {NETWORK, HUB, DISK_WRITE}
            await machine.model.move(end - has, links, machine.model.rates.hub_connection, grow)
        wrong = failure is not None and failure.error is FileError.WRONG
        writing.truncate(end - 1 if wrong else end)
        writing.write(_WRONG if wrong else b"")
    return 0 if end == size else await _broken(machine, call, fetch, size - end)


async def _broken(machine: Machine, call: Call, fetch: Fetch, missing: int) -> int:
    if fetch.failure is None or fetch.failure.error is FileError.DROPPED:
        call.err(f"curl: (18) end of response with {missing} bytes missing")
        return _CLOSED
    if machine.model is not None:
        await machine.model.sleep(fetch.patience_s)
    else:
        await asyncio.sleep(machine.scenario.hang)
    call.err(f"curl: (28) Operation too slow. Less than 1000 bytes/sec transferred the last {fetch.patience_s} seconds")
    return _TOO_SLOW
