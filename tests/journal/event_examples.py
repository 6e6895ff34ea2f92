"""An example of every event, from the tests' histories. `python -m` this FILE writes them."""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from shared.deployments.events import DeploymentEvent, DeploymentFact, OfTheScaler
from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.lifecycle import events as e
from shared.lifecycle.events import Event
from shared.lifecycle.fact import Action, Conclusion, Decided, Fact
from shared.lifecycle.news import is_news
from tests.deployments import facts as d
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h

INSTALLATION: Final = UUID("3e0f1b52-93c4-4f3a-9d5e-2b8f0a61c7d4")
LIVES: Final = (
    *h.IN_STATUS.values(),
    h.an_installing_instance(purpose="machine_image"),
    h.a_stored_image(),
    f.timed(*h.an_installing_instance(), f.action_delayed(action=Action.INSTALL)),
    f.timed(*h.a_ready_instance(), f.server_stopped()),
)
"""The first that fits is taken."""
HEALTHS: Final = {
    *(e.SshReachable, e.WorkerReachable, e.ModelLoadProgressed, e.ModelLoaded, e.WarmupCompleted, e.HealthPassed),
    *(e.HealthLost, e.HealthRestored),
}


def life_of(event: Event) -> Sequence[Event]:
    """A history that ends with such an event."""
    for life in LIVES:
        for number, fact in enumerate(life, start=1):
            if type(fact) is type(event):
                return life[:number]
    lives = (f.timed(*life, event) for life in LIVES)
    return next(life for life in lives if is_news(f.given(*life[:-1]), life[-1]))


def message(facts: Sequence[Event] | Sequence[DeploymentEvent], after: Any) -> dict[str, Any]:
    """The last of these facts as the journal would publish it."""
    fact = facts[-1]
    own, cause = (uuid5(INSTALLATION, f"{fact.type()} {number}") for number in (2, 1))
    origin = Origin(actor(fact), causation_id=cause if len(facts) > 1 else None)
    body: dict[str, Any] = json.loads(encode(own, fact, after, origin, f"/coldstart/{INSTALLATION}"))
    body.pop("vocabulary")  # it changes with every field, and is for services only
    return body


def actor(fact: Fact | DeploymentFact) -> str:
    match fact:
        case e.InstanceRequested() | Decided():
            return "api"
        case OfTheScaler():
            return "scaler"
        case DeploymentFact():
            return "api"
        case Conclusion():
            return "health"
        case _:
            return "health" if type(fact) in HEALTHS else "provisioner"


def deployments() -> dict[str, dict[str, Any]]:
    """Of a deployment that is created and grows."""
    created, scaled, added = d.deployment_created(), d.deployment_scaled(basis=1), d.replica_added(basis=2)
    before = (created, scaled, added)
    kinds = (
        *(d.deployment_changed(), d.deployment_paused(), d.deployment_resumed(), d.deployment_deleted()),
        *(d.replica_replaced(), d.replica_removed(), d.replica_ended(), d.replica_refused()),
        *(d.deployment_degraded(), d.deployment_recovered()),
        *(d.rollout_started(), d.rollout_finished(), d.rollout_halted()),
    )
    histories: list[tuple[DeploymentEvent, ...]] = [before[:number] for number in (1, 2, 3)]
    for kind in kinds:
        basis = {"basis": len(before)} if isinstance(kind, OfTheScaler) else {}
        histories.append((*before, kind.model_copy(update=basis)))
    found = {}
    for history in histories:
        at = [fact.occurred_at + timedelta(seconds=10 * number) for number, fact in enumerate(history)]
        facts = [fact.model_copy(update={"occurred_at": moment}) for fact, moment in zip(history, at, strict=True)]
        found[facts[-1].type()] = message(facts, d.given(*facts))
    return found


def examples() -> dict[str, dict[str, Any]]:
    """By the name of the event."""
    lives = (life_of(event) for event in f.examples())
    return {life[-1].type(): message(life, f.given(*life)) for life in lives} | deployments()


def written() -> str:
    return json.dumps(dict(sorted(examples().items())), indent=1) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written())  # at once: until then, what imports it reads the former ones
