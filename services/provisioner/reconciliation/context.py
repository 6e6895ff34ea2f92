"""What every rule of reconciliation works with, and how rules run: what fails in one keeps nobody from the next."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import structlog

from services.provisioner.action_context import LONGEST_TEXT, Overtaken
from services.provisioner.provider import Provider, ProviderError
from services.provisioner.reconciliation.findings import Finding, Findings, RuleFailed
from services.provisioner.settings import ProvisionerSettings
from shared.journal.journal import Journal, JournalUnavailable

AT_ONCE: Final = 10
"""Each removal waits for minutes, mostly: one after the other, a hundred of them would keep the next one waiting."""

Answer = TypeVar("Answer")

log = structlog.get_logger()


@dataclass(frozen=True)
class ReconciliationContext:
    journal: Journal
    provider: Provider
    settings: ProvisionerSettings
    clock: Callable[[], datetime]


async def asked(what: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | RuleFailed | None:
    """The answer, or what kept us from it; None when it is no longer needed. Raises JournalUnavailable."""
    try:
        return await ask()
    except Exception as error:  # noqa: BLE001  `_problem` raises it, logs it or says it
        return _problem(what, error)


async def guarded(what: str, findings: Findings) -> Findings:
    """The same findings; what ends them early is the last one. Raises JournalUnavailable."""
    async with aclosing(findings):
        try:
            async for finding in findings:
                yield finding
        except Exception as error:  # noqa: BLE001  `_problem` raises it, logs it or says it
            if (problem := _problem(what, error)) is not None:
                yield problem


async def at_once(rules: Iterable[Findings]) -> Findings:
    """The findings of all, as they come. Raises what one of them raises, which ends the others."""
    room, found = asyncio.Semaphore(AT_ONCE), asyncio.Queue[Finding | None]()

    async def drain(findings: Findings) -> None:
        async with room, aclosing(findings):
            async for finding in findings:
                found.put_nowait(finding)

    async def drain_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for findings in rules:
                    group.create_task(drain(findings))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            found.put_nowait(None)

    draining = asyncio.create_task(drain_all())
    try:
        while (finding := await found.get()) is not None:
            yield finding
        await draining
    finally:
        draining.cancel()
        await asyncio.wait({draining})


def _problem(what: str, error: Exception) -> RuleFailed | None:
    """None for what was overtaken. Without a journal there is no reconciliation: raises JournalUnavailable."""
    match error:
        case JournalUnavailable():
            raise error
        case Overtaken():
            log.info("overtaken", what=what)
            return None
        case ProviderError():
            return RuleFailed(f"{what}: {error}"[:LONGEST_TEXT])
        case _:
            log.error("reconciliation surprised", what=what, exc_info=error)
            return RuleFailed(f"{what}: {type(error).__name__}: {error}"[:LONGEST_TEXT])
