"""What of an installation stands at providers and may cost money, whether or not its stack runs."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from coldstart.embedded.errors import EmbeddedServerError
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.nats import EmbeddedNats
from coldstart.providers import names
from coldstart.settings import StackSettings
from coldstart.stack.files import SIMULATED, NoStack, clouds, find_reach
from coldstart.stack.standing import JournalUnreadable, standing
from shared.lifecycle.instance import Instance


@dataclass(frozen=True)
class Obligations:
    """`cloud`: where machines are real, for people; empty if all are simulated or none was ever rented.

    `unknown`: why the journal could not be read; `instances` is empty then.
    """

    cloud: str
    instances: Sequence[Instance] = ()
    unknown: str | None = None


async def obligations(settings: StackSettings, data_dir: Path, *, timeout_s: float) -> Obligations:
    """By the journal of the running stack, of COLDSTART_NATS_URL, or in the data folder.

    If nothing runs, the embedded NATS is started for the question, but only where a real cloud has been used.
    """
    real = sorted((clouds(data_dir) or frozenset()) - {SIMULATED})
    cloud = (names() or " and ".join(real)) if real or settings.nats_url else ""
    async with AsyncExitStack() as cleanup:
        try:
            url = await _journal(settings, data_dir, cleanup, rented=bool(real))
            return Obligations(cloud, await standing(url, timeout_s=timeout_s) if url else ())
        except (JournalUnreadable, EmbeddedServerError, OSError) as error:
            return Obligations(cloud, unknown=str(error))


async def _journal(settings: StackSettings, data_dir: Path, cleanup: AsyncExitStack, *, rented: bool) -> str | None:
    """The NATS server's URL; None if there is no journal, or nothing in it can cost money."""
    try:
        return find_reach(data_dir).nats_url
    except NoStack:
        if settings.nats_url is not None:
            return settings.nats_url.get_secret_value()
    if not rented or not (data_dir / "nats" / "data").exists():
        return None
    cleanup.enter_context(ServerFolder(data_dir, "stack").locked())
    return (await cleanup.enter_async_context(EmbeddedNats(data_dir))).url
