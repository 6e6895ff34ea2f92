"""docs/deployments-lifecycle.md, drawn from the code: `python -m shared.deployments.page > docs/…`."""

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from shared.deployments import events as e
from shared.deployments.decide import DEPLOYMENT_DECISIONS, DeploymentIntent, put
from shared.deployments.deployment import Deployment, DeploymentStatus
from shared.deployments.errors import DeploymentError
from shared.deployments.events import DEPLOYMENT_EVENTS, DeploymentFact, OfTheScaler, deployment_id
from shared.deployments.fold import begin, evolve
from shared.deployments.wish import DeploymentWish, Template
from shared.lifecycle.page import Row, names, table

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_WISH: Final = DeploymentWish(name="example", template=Template(model="example"))
_ANOTHER: Final = _WISH.model_copy(update={"template": Template(model="another")})
_ID: Final = deployment_id(_WISH.name, None)


def deployments_page() -> str:
    """The page in Markdown, with its state diagram in Mermaid."""
    return f"""\
# The life of a deployment

<!-- Drawn from shared/deployments by `python -m shared.deployments.page`. Do not edit: a test compares them. -->

A deployment is an endpoint that stays: people say what it is and how many replicas it may have, and the scaler
concludes what follows. Its events are in the stream of the instances' events, with the deployment after them in
`data.deployment`. What a person asked for is decided on the deployment as it is then. A conclusion names the version
that it was made from (`basis`), and is dropped if anything else was recorded since. So two scalers that conclude the
same make one event.

Its id follows from its name and its organisation, so no two deployments can have the same name. One that was deleted
may be created again: it goes on counting versions, revisions and generations, so no instance gets an id that another
had.

{_diagram()}

## What people may ask

{table(("intent", "in status", "event", "status after it"), _intents())}

## Events

Every event carries `deployment_id` and `occurred_at`, and a conclusion also `basis`.

{table(("event", "recorded by", "meaning", "fields"), _facts())}
"""


def examples() -> Mapping[DeploymentStatus, Deployment]:
    """A deployment in each status."""
    created = begin(e.DeploymentCreated(deployment_id=_ID, occurred_at=_AT, wish=_WISH, revision=1))
    changed = e.DeploymentChanged(deployment_id=_ID, occurred_at=_AT, wish=_ANOTHER, revision=2)
    active = evolve(created, changed)
    return {
        DeploymentStatus.ACTIVE: active,
        DeploymentStatus.PAUSED: evolve(active, e.DeploymentPaused(deployment_id=_ID, occurred_at=_AT)),
        DeploymentStatus.DELETED: evolve(active, e.DeploymentDeleted(deployment_id=_ID, occurred_at=_AT)),
    }


def _decided(intent: str, deployment: Deployment) -> e.DeploymentEvent | None:
    """None if it changes nothing, or is refused."""
    try:
        if intent == "put":
            return put(deployment, _ID, _WISH, _AT)
        return DEPLOYMENT_DECISIONS[DeploymentIntent(intent)](deployment, _ID, _AT)
    except DeploymentError:
        return None


def _moves() -> Iterable[tuple[str, DeploymentStatus, e.DeploymentEvent, DeploymentStatus]]:
    for intent in ("put", *DeploymentIntent):
        for status, deployment in examples().items():
            if (event := _decided(intent, deployment)) is not None:
                yield intent, status, event, evolve(deployment, event).status


def _diagram() -> str:
    arrows = {
        f"    {before} --> {after}: {event.type()}": None for _, before, event, after in _moves() if before is not after
    }
    first = f"    [*] --> {DeploymentStatus.ACTIVE}: {e.DeploymentCreated.type()}"
    return "\n".join(["```mermaid", "stateDiagram-v2", first, *arrows, "```"])


def _intents() -> Iterable[Row]:
    yield "`put`", "there is none", e.DeploymentCreated.type(), f"`{DeploymentStatus.ACTIVE}`"
    for intent, before, event, after in _moves():
        yield f"`{intent}`", f"`{before}`", event.type(), f"`{after}`"


def _facts() -> Iterable[Row]:
    for kind in DEPLOYMENT_EVENTS.values():
        conclusion = issubclass(kind, OfTheScaler)
        known = OfTheScaler.model_fields if conclusion else DeploymentFact.model_fields
        meaning = " ".join((kind.__doc__ or "").split())
        fields = names(name for name in kind.model_fields if name not in known)
        yield kind.type(), "the scaler" if conclusion else "the api", meaning, fields


if __name__ == "__main__":
    sys.stdout.write(deployments_page())
