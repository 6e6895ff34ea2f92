"""The context of every reconciliation rule, and how rules run: a failure in one does not stop the others."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import structlog

from services.provisioner.action_context import LONGEST_TEXT, Overtaken
from services.provisioner.provider import Provider, ProviderError
from services.provisioner.reconciliation.results import RuleFailed, RuleResult, RuleResults
from services.provisioner.settings import ProvisionerSettings
from shared.journal.errors import JournalUnavailable
from shared.journal.journal import Journal

AT_ONCE: Final = 10
"""How many removals run at once. Each mostly waits, for minutes: a hundred in sequence would delay the next report."""

Answer = TypeVar("Answer")

log = structlog.get_logger()


@dataclass(frozen=True)
class ReconciliationContext:
    journal: Journal
    provider: Provider
    settings: ProvisionerSettings
    clock: Callable[[], datetime]


async def asked(what: str, ask: Callable[[], Awaitable[Answer]]) -> Answer | RuleFailed | None:
    """The answer, or the problem; None if the answer is no longer needed. Raises JournalUnavailable."""
    try:
        return await ask()
    except Exception as error:  # noqa: BLE001  `_problem` raises it, logs it or says it
        return _problem(what, error)


async def guarded(what: str, results: RuleResults) -> RuleResults:
    """The same results. An error that ends them early becomes the last result. Raises JournalUnavailable."""
    async with aclosing(results):
        try:
            async for result in results:
                yield result
        except Exception as error:  # noqa: BLE001  `_problem` raises it, logs it or says it
            if (problem := _problem(what, error)) is not None:
                yield problem


async def at_once(rules: Iterable[RuleResults]) -> RuleResults:
    """The results of all rules, as they come. If one raises, the others end and the error is raised."""
    room, found = asyncio.Semaphore(AT_ONCE), asyncio.Queue[RuleResult | None]()

    async def drain(results: RuleResults) -> None:
        async with room, aclosing(results):
            async for result in results:
                found.put_nowait(result)

    async def drain_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for results in rules:
                    group.create_task(drain(results))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            found.put_nowait(None)

    draining = asyncio.create_task(drain_all())
    try:
        while (result := await found.get()) is not None:
            yield result
        await draining
    finally:
        draining.cancel()
        await asyncio.wait({draining})


def _problem(what: str, error: Exception) -> RuleFailed | None:
    """The result for an error; None if overtaken. Without a journal there is no reconciliation: re-raises that."""
    match error:
        case JournalUnavailable():
            raise error
        case Overtaken():
            log.info("reconciliation rule overtaken", rule=what)
            return None
        case ProviderError():
            return RuleFailed(f"{what}: {error}"[:LONGEST_TEXT])
        case _:
            log.error("reconciliation rule failed unexpectedly", rule=what, exc_info=error)
            return RuleFailed(f"{what}: {type(error).__name__}: {error}"[:LONGEST_TEXT])
