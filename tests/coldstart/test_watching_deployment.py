import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.stream_messages import AnyMessage, DeploymentHappened, Estimated, Happened
from coldstart.watching_deployment import DeploymentJourney, draw, events_of_deployment
from shared.deployments.events import DeploymentEvent
from tests.coldstart.deployed import happened_to, shown_after
from tests.coldstart.fake_api import FakeApi, stream, values
from tests.coldstart.told import BEGAN, LAUNCH, OTHER_ID, an_eta, an_event, of_another
from tests.deployments import facts as f

CREATED = f.deployment_created(wish=f.a_wish(min_replicas=1, max_replicas=2))
SCALED = f.deployment_scaled(reason="bounds")
ADDED = f.replica_added(basis=2)
STARTING = (CREATED, SCALED, ADDED)
REPLICA = {"deployment_id": str(f.ID), "deployment_name": "chat", "revision": 1, "ordinal": 0, "generation": 1}


def of_replica(event: Happened, replica: dict[str, Any] | None = REPLICA) -> Happened:
    return of_another(str(ADDED.instance_id), event, name="chat-0", replica=replica)


def watched(*facts: DeploymentEvent, known: int = 1) -> DeploymentJourney:
    """After all of these, of which `known` were shown, and the replica's launch."""
    journey = DeploymentJourney.of(shown_after(*facts[:known]), BEGAN)
    messages: tuple[Happened | DeploymentHappened, ...] = (*happened_to(*facts), *map(of_replica, LAUNCH))
    for message in messages:
        journey.follow(message)
    return journey


def test_it_has_settled_once_what_is_wanted_is_ready() -> None:
    journey = DeploymentJourney.of(shown_after(CREATED), BEGAN)
    messages: list[AnyMessage] = [
        *happened_to(*STARTING),
        *map(of_replica, LAUNCH),
        of_replica(an_event(9, "HealthLost", "unavailable", 100)),
    ]
    said = [line for line, _ in events_of_deployment(journey, messages)]
    assert said == [
        "0 of 1 ready  DeploymentScaled: 0 → 1 replicas: why it is so",
        "0 of 1 ready  ReplicaAdded: replica 0 of revision 1 is launched (scaled)",
        "0 of 1 ready  chat-0: 5 %  provisioning InstanceRequested",
        "0 of 1 ready  chat-0: 20 %  provisioning InstanceCreated",
        "0 of 1 ready  chat-0: 55 %  installing   SshInstallStarted",
        "0 of 1 ready  chat-0: 57 %  installing   SshInstallPhaseReached (image_pull)",
        "0 of 1 ready  chat-0: 60 %  starting     SshInstallCompleted",
        "1 of 1 ready  chat-0: 100 %  ready        InstanceReady",
    ]
    assert (journey.settled, journey.why_not) == (True, None)


def test_what_is_of_another_or_known_already_says_nothing() -> None:
    journey, later = watched(*STARTING, known=3), an_event(9, "HealthLost", "unavailable", 100)
    others = (of_replica(later, None), of_replica(later, {**REPLICA, "deployment_id": OTHER_ID}))
    created = f.deployment_created(wish=f.a_wish(name="other"))
    facts = [f.deployment_scaled(deployment_id=created.deployment_id, basis=at) for at in range(1, 9)]
    messages: tuple[Happened | DeploymentHappened, ...] = (
        *happened_to(*STARTING),
        of_replica(LAUNCH[5]),
        *others,
        *happened_to(created, *facts),
    )
    assert {journey.follow(event) for event in messages} == {None}


@pytest.mark.parametrize(
    ("facts", "why_not"),
    [
        ((f.rollout_halted(basis=4),), "the rollout of revision 2 was halted: why it is so"),
        ((f.deployment_degraded(basis=4, gave_up=True),), "why it is so"),
    ],
)
def test_it_has_settled_if_it_will_not_go_on_by_itself(facts: tuple[DeploymentEvent, ...], why_not: str) -> None:
    rolling = () if "Degraded" in facts[0].type() else (f.deployment_changed(), f.rollout_started(basis=4))
    journey = watched(*STARTING, *rolling, *facts)
    assert (journey.settled, journey.why_not) == (True, why_not)


@pytest.mark.parametrize(
    "facts",
    [
        (CREATED,),
        (CREATED, SCALED),
        (*STARTING, f.deployment_changed(wish=f.a_wish(task="embed", min_replicas=1))),
        (*STARTING, f.deployment_changed(wish=f.a_wish(min_replicas=2, max_replicas=2), revision=1)),
        (*STARTING, f.deployment_paused()),
        (*STARTING, f.deployment_deleted()),
        (
            f.deployment_created(),
            *STARTING[1:],
            f.deployment_scaled(basis=3, before=1, after=0),
            f.replica_removed(basis=4, instance_id=ADDED.instance_id),
        ),
    ],
    ids=lambda facts: facts[-1].type(),
)
def test_it_has_not_settled_while_something_is_due(facts: tuple[DeploymentEvent, ...]) -> None:
    assert not watched(*facts).settled


def test_a_replica_that_leaves_does_not_count_and_is_shown_until_it_has_ended() -> None:
    leaving = (
        f.deployment_created(),
        *STARTING[1:],
        f.deployment_scaled(basis=3, before=1, after=0),
        f.replica_removed(basis=4, instance_id=ADDED.instance_id),
    )
    journey = watched(*leaving)
    assert (journey.so_far, [one.instance.id for one in journey.members]) == ("0 of 0 ready", [ADDED.instance_id])
    journey = watched(*leaving, f.replica_ended(basis=5, instance_id=ADDED.instance_id))
    assert (journey.settled, journey.members) == (True, [])


def test_at_zero_it_has_settled() -> None:
    assert DeploymentJourney.of(shown_after(f.deployment_created()), BEGAN).settled


def test_on_a_terminal_it_is_drawn_with_its_replicas_and_the_last_event() -> None:
    journey = DeploymentJourney.of(shown_after(*STARTING), BEGAN)
    degraded = happened_to(*STARTING, f.deployment_degraded(basis=3, gave_up=True))
    messages: list[AnyMessage] = [
        of_replica(LAUNCH[2]),
        Estimated(ADDED.instance_id, an_eta(100, 200)),
        Estimated(UUID(OTHER_ID), an_eta(100, 200)),
        *degraded,
    ]
    console = Console(file=io.StringIO(), width=120, height=20, force_terminal=True, color_system=None)
    draw(console, journey, messages, lambda: "it ended the stream")
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().rsplit("\x1b[2K", 1)[-1].replace("\x1b[?25h", "")
    title, replica, doing, event, away = [line.rstrip() for line in last.splitlines() if line.strip()]
    assert title == "chat  degraded  0 of 1 ready"
    assert all(word in replica for word in ("chat-0", "installing", "55 %", "in about 2 min"))
    assert doing == "why it is so"
    assert event == "DeploymentDegraded: 1 of 2 ready, given up: why it is so"
    assert away == "no connection, trying again: it ended the stream"


def test_it_says_what_holds_a_replica_up_since_when_and_when_the_next_try_is() -> None:
    journey = DeploymentJourney.of(shown_after(*STARTING), BEGAN)
    again = BEGAN + timedelta(seconds=90)
    delay = {"action": "install", "number": 2, "code": "waiting", "reason": "it is locked"}
    held_up = an_event(4, "ActionDelayed", "installing", 55, delay={**delay, "next_try_at": again.isoformat()})
    journey.follow(of_replica(held_up))
    said = f"replica 0: it is locked (for 1 min 00 s, next try at {again.astimezone():%H:%M:%S})"
    assert journey.doing(BEGAN + timedelta(seconds=60)) == said
    console = Console(file=io.StringIO(), width=200)
    draw(console, journey, [], lambda: None)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().startswith("0 of 1 ready  active  replica 0: it is locked (for ")
    journey.follow(of_replica(LAUNCH[4]))
    assert not journey.doing(BEGAN)


@pytest.fixture
def reached(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    api.says("GET", "/deployments/chat", values(shown_after(CREATED)))
    api.says("GET", "/events", stream([]), stream([*happened_to(*STARTING), *map(of_replica, LAUNCH)]))
    return api


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words)


@pytest.mark.usefixtures("reached")
def test_watch_ends_well_once_it_serves_as_wanted() -> None:
    result = run("deployments", "watch", "chat")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "0 of 0 ready  at zero"
    assert lines[-1] == "1 of 1 ready  chat-0: 100 %  ready        InstanceReady"


def test_watch_as_json_prints_each_event_as_it_came(reached: FakeApi) -> None:
    told = [json.loads(line) for line in run("deployments", "watch", "chat", "--json").stdout.splitlines()]
    assert [event["type"] for event in told] == [fact.type() for fact in STARTING[1:]] + [one.type for one in LAUNCH]
    assert reached.asked[-1].headers["last-event-id"] == "0a0b0c0d-0"


def test_deploy_may_watch_and_ends_with_1_and_the_reason_if_it_gives_up(reached: FakeApi) -> None:
    gave_up = happened_to(*STARTING, f.deployment_degraded(basis=3, gave_up=True))
    reached.says("PUT", "/deployments/chat", values({**shown_after(CREATED), "warnings": []}))
    reached.says("GET", "/events", stream([]), stream(gave_up))
    result = run("deploy", "a/b", "--name", "chat", "--watch")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "0 of 1 ready  DeploymentDegraded: 1 of 2 ready, given up: why it is so"
    why, helps = result.stderr.splitlines()[-2:]
    assert why == "why it is so"
    assert helps.startswith("To try again: ")
    assert helps.endswith("coldstart deployments resume chat")
