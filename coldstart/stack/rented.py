"""Whether a stopped installation holds anything at a provider. Not knowing does not count as nothing."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from coldstart.embedded.errors import EmbeddedServerError
from coldstart.embedded.nats import EmbeddedNats
from coldstart.leaving import line_of
from coldstart.providers import providers
from coldstart.settings import StackSettings
from coldstart.stack.files import MASTER_SECRET, SIMULATED, clouds, stored
from coldstart.stack.standing import JournalUnreadable, simulated, standing

_PROVIDERS_S: Final = 90.0


class RentedUnknown(Exception):
    """It cannot be found out; the message says why."""


async def rented(settings: StackSettings, data_dir: Path) -> list[str]:
    """A line for each instance in the journal, and each resource with the installation's tag. Raises RentedUnknown."""
    seen = clouds(data_dir)
    if seen == frozenset({SIMULATED}):
        return []
    configured = providers()
    missing = sorted((seen or frozenset()) - {SIMULATED} - configured)
    async with AsyncExitStack() as cleanup:
        try:
            nats_url = await _nats_url(settings, data_dir, cleanup)
            instances = [each for each in await standing(nats_url) if not simulated(each)]
        except (JournalUnreadable, EmbeddedServerError, OSError) as error:
            raise RentedUnknown(f"the journal cannot be read: {error}") from error
        lines = [line_of(each) for each in instances]
        if not lines and missing:
            raise RentedUnknown(f"{' and '.join(missing)} cannot be asked: the variables that configure it are not set")
        if not lines and configured:
            lines = await _tagged(settings, data_dir, nats_url)
    return lines


async def _nats_url(settings: StackSettings, data_dir: Path, cleanup: AsyncExitStack) -> str:
    if settings.nats_url is not None:
        return settings.nats_url.get_secret_value()
    if not (data_dir / "nats" / "data").exists():
        raise JournalUnreadable("it is not in this folder; set COLDSTART_NATS_URL to the server that has it")
    return (await cleanup.enter_async_context(EmbeddedNats(data_dir))).url


async def _tagged(settings: StackSettings, data_dir: Path, nats_url: str) -> list[str]:
    """What the providers list now, including resources that no instance in the journal knows."""
    given = settings.master_secret.get_secret_value() if settings.master_secret else stored(data_dir, MASTER_SECRET)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.provisioner", "tagged"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLDSTART_NATS_URL": nats_url, "COLDSTART_MASTER_SECRET": given or ""},
    )
    try:
        async with asyncio.timeout(_PROVIDERS_S):
            said, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RentedUnknown("the providers did not answer in time") from None
    if process.returncode != 0:
        last = (complaint.decode(errors="replace").strip().splitlines() or ["no reason was given"])[-1]
        raise RentedUnknown(f"the providers could not be asked: {last}")
    return [f"  {line}" for line in said.decode(errors="replace").splitlines()]
