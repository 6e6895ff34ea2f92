"""The metrics of all processes that serve one port: each tells its own on a socket, and any of them answers for all.

Every sample gets a label that names its process, so a scraper sees counters that never jump between processes.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from services.api.records.place import ProcessPlace

_PATIENCE_S: Final = 2.0
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][\w:]*)(\{)?")
_FAMILY: Final = re.compile(r"# (HELP|TYPE) (\S+)")

log = structlog.get_logger()


@asynccontextmanager
async def metrics_socket(place: ProcessPlace, rendered: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Answer the other processes with what `rendered` returns. A single process has nobody to answer."""
    if place.processes == 1:
        yield
        return

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(await rendered())
            await writer.drain()
        writer.close()

    path = place.metrics_of(place.process)
    path.unlink(missing_ok=True)  # of a process that was killed
    async with await asyncio.start_unix_server(answer, path):
        yield


async def of_all(place: ProcessPlace, own: bytes) -> bytes:
    """Add the metrics of the other processes that answer to our own. For a single process they stay as they are."""
    if place.processes == 1:
        return own
    others = [process for process in range(place.processes) if process != place.process]
    answers = await asyncio.gather(*(_asked(place, process) for process in others))
    texts = {place.process: own} | {process: text for process, text in zip(others, answers, strict=True) if text}
    return merged(dict(sorted(texts.items()))).encode()


async def _asked(place: ProcessPlace, process: int) -> bytes:
    """Empty for a process that does not answer, since it starts again."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(place.metrics_of(process))
            try:
                return await reader.read()
            finally:
                writer.close()
    except OSError as error:  # includes time-outs
        log.warning("process without metrics", process=process, reason=repr(error))
        return b""


def merged(texts: Mapping[int, bytes]) -> str:
    """Metrics in Prometheus's text format, by process. The samples of a family have to stand together."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for process, text in texts.items():
        family = ""
        for line in text.decode().splitlines():
            if head := _FAMILY.match(line):
                family = head[2]
                lines = heads.setdefault(family, [])
                if line not in lines:
                    lines.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, process))
    return "".join(f"{line}\n" for family in heads for line in (*heads[family], *samples.get(family, [])))


def _labelled(sample: str, process: int) -> str:
    name = _SAMPLE.match(sample)
    if name is None:
        return sample
    label, rest = f'process="{process}"', sample[name.end() :]
    return f"{name[1]}{{{label},{rest}" if name[2] else f"{name[1]}{{{label}}}{rest}"
