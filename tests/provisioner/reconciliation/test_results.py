"""Which results of rules a report holds, also when one rule fails."""

from datetime import UTC, datetime
from typing import get_args
from uuid import UUID

import pytest

from services.provisioner.action_context import Overtaken
from services.provisioner.provider import TryAgain
from services.provisioner.reconciliation import results as found
from services.provisioner.reconciliation.context import asked, at_once, guarded
from services.provisioner.reconciliation.ownership import Ownership
from services.provisioner.reconciliation.results import RuleFailed, RuleResult, RuleResults, ServersListed, report_of
from shared.journal.errors import JournalUnavailable
from shared.lifecycle import events as e
from shared.reconciliation import Foreign, Kind, Reason, Removed, Report, Unknown
from tests.lifecycle import facts as f

AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
SERVER = Unknown(kind=Kind.SERVER, id="s", zone="z", instance_id=ONE, hint="why")
VOLUME = Unknown(kind=Kind.VOLUME, id="v", zone="z", instance_id=ONE, hint="why")
SERVER_GONE = Removed(kind=Kind.SERVER, id="s", zone="z", instance_id=ONE, reason=Reason.UNKNOWN)
ELSEWHERE = Foreign(id="f", zone="z", installation=TWO, instance_id=None)
LOST = e.ServerLost(instance_id=ONE, occurred_at=AT, server_id="s")
STOPPED = e.ServerStopped(instance_id=ONE, occurred_at=AT, server_id="s")
RESTARTED = e.ServerRestarted(instance_id=ONE, occurred_at=AT, server_id="s")
READDRESSED = e.AddressChanged(instance_id=ONE, occurred_at=AT, server_id="s", ip_address="192.0.2.1", address_id=None)
EXPIRED = e.LifetimeLimitReached(instance_id=ONE, occurred_at=AT, limit_seconds=60)


INSTANCE = f.given(f.instance_requested())


def report(*results: RuleResult) -> Report:
    return report_of("own", AT, AT, results)


def test_a_report_has_each_finding_in_its_place() -> None:
    assert report(
        ServersListed(3), SERVER, VOLUME, SERVER_GONE, ELSEWHERE, LOST, STOPPED, RESTARTED, READDRESSED, EXPIRED,
        RuleFailed("one"), RuleFailed("two"), found.Owned(INSTANCE, frozenset({"x"})), found.Unreadable(TWO),
    ) == Report(
        provider="own", began_at=AT, ended_at=AT, servers=3, removed=(SERVER_GONE,), unknown=(VOLUME,),
        foreign=(ELSEWHERE,), lost=(ONE,), stopped=(ONE,), restarted=(ONE,), readdressed=(ONE,), expired=(ONE,),
        errors=("one", "two"),
    )  # fmt: skip


def test_every_list_of_a_report_is_filled_by_some_finding() -> None:
    lists = {name for name, field in Report.model_fields.items() if str(field.annotation).startswith("tuple")}
    given = report(SERVER_GONE, VOLUME, ELSEWHERE, LOST, STOPPED, RESTARTED, READDRESSED, EXPIRED, RuleFailed("one"))
    assert {name for name in lists if getattr(given, name)} == lists
    kinds = {SERVER_GONE, VOLUME, ELSEWHERE, LOST, STOPPED, RESTARTED, READDRESSED, EXPIRED, RuleFailed("one")}
    of_the_rules = {ServersListed, found.Owned, found.Ended, found.ImageStored, found.Unreadable}
    assert {type(kind) for kind in kinds} | of_the_rules == {*get_args(RuleResult)}


def test_ownership_is_what_the_findings_say() -> None:
    ownership = Ownership.of([found.Owned(INSTANCE, frozenset({"a", "b"})), found.Unreadable(TWO), RuleFailed("else")])
    assert ownership == Ownership({"a": INSTANCE.id, "b": INSTANCE.id}, frozenset({TWO}))


async def rule(*results: RuleResult, then: Exception | None = None) -> RuleResults:
    for result in results:
        yield result
    if then is not None:
        raise then


async def gathered(results: RuleResults) -> list[RuleResult]:
    return [result async for result in results]


async def test_a_rule_that_fails_keeps_what_it_has_found_and_says_why_it_ended() -> None:
    refused = guarded("server s", rule(SERVER, then=TryAgain("cloud_error", "not now")))
    assert await gathered(refused) == [SERVER, RuleFailed("server s: cloud_error: not now")]
    surprised = guarded("server s", rule(SERVER, then=OSError("a surprise")))
    assert await gathered(surprised) == [SERVER, RuleFailed("server s: OSError: a surprise")]


async def test_what_was_overtaken_is_no_problem() -> None:
    async def ask() -> str:
        raise Overtaken

    assert await gathered(guarded("server s", rule(SERVER, then=Overtaken()))) == [SERVER]
    assert await asked("server s", ask) is None


async def test_without_a_journal_nothing_goes_on_and_what_was_found_is_not_lost() -> None:
    results: list[RuleResult] = []

    async def collect() -> None:
        async for result in at_once([guarded("server s", rule(SERVER, VOLUME, then=JournalUnavailable("away")))]):
            results.append(result)  # noqa: PERF401  what came before the error counts

    with pytest.raises(JournalUnavailable):
        await collect()
    assert results == [SERVER, VOLUME]


async def test_the_findings_of_many_rules_all_come() -> None:
    rules = [rule(RuleFailed(str(number))) for number in range(50)]
    assert {*await gathered(at_once(rules))} == {RuleFailed(str(number)) for number in range(50)}
