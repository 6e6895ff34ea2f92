"""The answer while no instance of a model is ready, for an instance whose launch is held up."""

from datetime import datetime, timedelta
from typing import Final, cast

import pytest

from services.api.estimates.estimates import Estimates
from services.api.estimates.repository import LaunchRepository
from services.api.router.breakers import Breakers
from services.api.router.nearest import Nearest
from services.api.router.refusal import Refusal
from services.api.router.table import RoutingTable, Worker
from services.api.router.unready import Unready
from shared.description import Description
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action
from shared.secrets import Secrets
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

MODEL: Final = f.a_specification().model
SAID: Final = "waits for the package manager's lock"
NEXT: Final = f.AT + timedelta(hours=1, seconds=30)
DELAYED: Final = f.action_delayed(action=Action.INSTALL, code="waiting", reason=SAID, next_try_at=NEXT)


async def never(_: Worker) -> int | None:
    raise AssertionError("no worker is probed")


def refused(at: datetime, *history: Event) -> Refusal:
    table = RoutingTable(Secrets("a master secret of at least thirty-two characters"), 8000, lambda _: None)
    table.apply(f.given(*history))
    estimates = Estimates(cast("LaunchRepository", None), launches=1, refresh_s=1.0)
    breakers = Breakers(never, failures=1, first_pause_s=1.0, longest_pause_s=1.0)
    return Unready(Nearest(table, estimates, breakers), estimates).refusal(MODEL, None, at)


@pytest.mark.parametrize(
    ("before", "retry_after", "again"),
    [(10, "30", "next try at 13:00:30 UTC"), (90, "90", "next try at 13:00:30 UTC"), (0, "30", "trying again")],
)
def test_it_says_what_holds_the_launch_up_and_not_to_come_back_before_the_next_try(
    before: float, retry_after: str, again: str
) -> None:
    history = (*h.an_installing_instance(), DELAYED)
    at = NEXT - timedelta(seconds=before)
    refusal = refused(at, *history)
    described = Description.of(f.given(*history), at).model_dump(mode="json")
    assert refusal.more["delay"] == described["delay"]
    assert (refusal.more["delay"]["reason"], refusal.more["eta"]) == (SAID, None)
    assert refusal.headers == {"Retry-After": retry_after}
    assert refusal.message == (
        f"{MODEL} is not ready: its instance is installing, {described['progress_percent']} %: {SAID} ({again})."
    )


def test_without_a_delay_it_has_an_estimate() -> None:
    refusal = refused(f.AT, *h.an_installing_instance())
    assert refusal.more["delay"] is None
    assert refusal.more["eta"] is not None
    assert refusal.message.endswith(" %.")
