"""Who may do what on NATS: the rules from which the servers' configurations are written. Pure.

The services share an account, in which each user has the subjects that it needs. Followers have their own account,
with a copy of the stream. The reason: whoever may send a request names the subject of its answer, and the server
checks that against no permission. In the services' account, a follower could have an answer of JetStream's stored as
an event.

The followers' account is on its own server: all accounts of a server share one queue of requests to JetStream, so a
follower that asks without pause would keep everybody else from being answered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared import install_output, launching, load, observation, reconciliation, worker_output
from shared.bus import held
from shared.bus.topology import (
    DEAD_LETTERS,
    INSTALL,
    LAUNCH,
    OF_INSTANCES,
    RELEASE,
    REPLAYS,
    REPLICAS,
    SCALE,
    TRIGGERS,
    WATCH,
    Trigger,
    replay_subject,
)
from shared.bus.topology_guard import ADVISORIES
from shared.deployments.events import DEPLOYMENT_EVENTS, OfTheScaler
from shared.journal.streams import EVERY_EVENT, LIFECYCLE
from shared.lifecycle.events import DrainRequested, TerminationRequested
from shared.offers import instance_types

SERVICES: Final = "COLDSTART"
FOLLOWERS: Final = "FOLLOWERS"
OPERATOR: Final = "coldstart"
COPIER: Final = "copier"
FOLLOWER: Final = "follower"
MONITOR: Final = "monitor"
HEALTH_OF_THE_SERVER: Final = "$SYS.REQ.SERVER.PING.HEALTHZ"
_EVERYTHING: Final = (">",)
_BUCKETS: Final = (install_output.BUCKET, worker_output.BUCKET, instance_types.BUCKET)


@dataclass(frozen=True)
class User:
    """The subjects that it may publish to, except those `denied`, and those that it may subscribe to."""

    name: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    denied: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccountLimits:
    """What an account may use of its server.

    Per connection: its `subscriptions`, and `pending`, the bytes that the server buffers while it does not read.
    """

    memory: str
    disk: str
    streams: int
    consumers: int
    connections: int
    subscriptions: int
    pending: str


@dataclass(frozen=True)
class Account:
    """`limits` None: whatever the server allows."""

    name: str
    users: tuple[User, ...]
    limits: AccountLimits | None = None


def inbox(user: str) -> str:
    """The subject of answers to this user's requests; nobody else may subscribe to it."""
    return f"_INBOX_{user}"


def services() -> Account:
    return Account(SERVICES, (_operator(), _api(), _provisioner(), _health(), _progress(), _scaler(), _webhooks()))


def followers() -> Account:
    """Connections that do not read use at most 64 × 4 MB together."""
    return Account(
        FOLLOWERS,
        (_copier(), _follower()),
        AccountLimits("16MB", "1GB", streams=1, consumers=200, connections=64, subscriptions=200, pending="4MB"),
    )


def system() -> Account:
    """For the one who runs the server: it may ask for the server's health, and for nothing else."""
    return Account("SYSTEM", (User(MONITOR, (HEALTH_OF_THE_SERVER,), ("_INBOX.>",)),))


def _operator() -> User:
    """The user of people and the command line: it may do everything, so that any damage can be repaired."""
    return User(OPERATOR, _EVERYTHING, _EVERYTHING)


def _api() -> User:
    publish = (
        *_topology(),
        *_reading(),
        *_recording(),
        *_buckets_read(),
        reconciliation.SUBJECT,
        worker_output.SUBJECT,
        load.SUBJECT,
        f"{inbox('scaler')}.>",  # answers to requests for a launch
    )
    subscribe = (*_own_inbox("api"), *ADVISORIES, observation.SUBJECT, load.SUBJECT, launching.SUBJECT)
    return User("api", publish, subscribe, denied=_held_by_others())


def _provisioner() -> User:
    triggers = (LAUNCH, INSTALL, RELEASE)
    answers = f"{inbox('api')}.>"  # to requests for reconciliation and for a worker's output
    handing_over = (*(replay_subject(each.durable) for each in OF_INSTANCES), *_holders_asked(OF_INSTANCES))
    return User(
        "provisioner",
        (*_topology(), *_reading(), *_recording(), *_holding(triggers), *_buckets_written(), answers, *handing_over),
        (
            *(*_own_inbox("provisioner"), *ADVISORIES, reconciliation.SUBJECT, worker_output.SUBJECT),
            *_holders_asked(triggers),
        ),
        denied=_held_by_others(*triggers),
    )


def _health() -> User:
    publish = (*_topology(), *_recording(), *_holding((WATCH,)), observation.SUBJECT)
    return User("health", publish, (*_own_inbox("health"), EVERY_EVENT, *_holders_asked((WATCH,))))


def _progress() -> User:
    publish = (*_topology(), *_reading(), "dead_letters.progress")
    return User("progress", publish, _own_inbox("progress"), denied=_held_by_others())


def _scaler() -> User:
    """It may conclude of deployments, and end instances; it launches none itself."""
    conclusions = (each for each in DEPLOYMENT_EVENTS.values() if issubclass(each, OfTheScaler))
    recorded = (f"journal.*.{each.type()}" for each in (*conclusions, DrainRequested, TerminationRequested))
    triggers = (SCALE, REPLICAS)
    publish = (*_topology(), *_getting(), *recorded, *_holding(triggers, asked_by="scaler"), launching.SUBJECT)
    handing_over = (replay_subject(SCALE.durable), *_holders_asked((SCALE,)))
    subscribe = (*_own_inbox("scaler"), EVERY_EVENT, load.SUBJECT, *_holders_asked(triggers))
    return User("scaler", (*publish, *handing_over), subscribe)


def _webhooks() -> User:
    """It reads events, and records none."""
    return User("webhooks", (*_topology(), *_reading()), _own_inbox("webhooks"), denied=_held_by_others())


def _copier() -> User:
    """The only writer of the followers' copy; everything else in that account is theirs."""
    return User(
        COPIER,
        (*_requests(f"STREAM.{{}}.{LIFECYCLE}", "INFO", "CREATE", "UPDATE", "DELETE", "MSG.GET"), "journal.*.*"),
        _own_inbox(COPIER),
    )


def _follower() -> User:
    """May read the copy, by its own consumers, and change nothing in other accounts."""
    publish = (
        *_requests("{}", "INFO", "STREAM.NAMES", "STREAM.LIST"),
        *_requests(f"{{}}.{LIFECYCLE}", "STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET", "CONSUMER.CREATE"),
        *_requests(f"{{}}.{LIFECYCLE}", "CONSUMER.NAMES", "CONSUMER.LIST"),
        *_requests(f"{{}}.{LIFECYCLE}.>", "DIRECT.GET", "CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE"),
        *_requests(f"CONSUMER.{{}}.{LIFECYCLE}.*", "INFO", "MSG.NEXT", "DELETE"),
        f"$JS.ACK.{LIFECYCLE}.>",
        f"$JS.FC.{LIFECYCLE}.>",
    )
    return User(FOLLOWER, publish, (EVERY_EVENT, "_INBOX.>"))


def _requests(pattern: str, *names: str) -> Iterator[str]:
    return (f"$JS.API.{pattern.format(name)}" for name in names)


def _own_inbox(user: str) -> tuple[str, ...]:
    return (f"{inbox(user)}.>",)


def _topology() -> Iterator[str]:
    """Any service may start first. None may delete or purge a stream, or delete a consumer that holds work."""
    yield from _requests("{}", "INFO")
    for stream in (LIFECYCLE, DEAD_LETTERS, REPLAYS):
        yield from _requests(f"STREAM.{{}}.{stream}", "INFO", "CREATE", "UPDATE")
    for stream, durable in _durables(TRIGGERS):
        yield from _requests(f"CONSUMER.{{}}.{stream}.{durable}", "INFO", "CREATE", "PAUSE")


def _reading() -> Iterator[str]:
    """Reading by an own consumer, whose name nobody can guess."""
    yield from _requests(f"CONSUMER.{{}}.{LIFECYCLE}.*", "MSG.NEXT", "DELETE")
    yield from _requests(f"CONSUMER.{{}}.{LIFECYCLE}.*.>", "CREATE")
    yield from _getting()


def _getting() -> Iterator[str]:
    return _requests(f"{{}}.{LIFECYCLE}", "STREAM.MSG.GET", "DIRECT.GET")


def _recording() -> Iterator[str]:
    yield "journal.*.*"
    yield from _getting()


def _holding(triggers: Iterable[Trigger[Any]], *, asked_by: str = "provisioner") -> Iterator[str]:
    for stream, durable in _durables(triggers):
        yield from _requests(f"CONSUMER.{{}}.{stream}.{durable}", "MSG.NEXT")
        yield f"$JS.ACK.{stream}.{durable}.>"
    for trigger in triggers:
        yield f"dead_letters.{trigger.durable}"
    yield from _own_inbox(asked_by)  # answers to what is held


def _holders_asked(triggers: Iterable[Trigger[Any]]) -> Iterator[str]:
    return (held.subject(trigger.durable) for trigger in triggers)


def _held_by_others(*own: Trigger[Any]) -> tuple[str, ...]:
    """Subjects that the wildcard for readers' consumers would allow too."""
    names = [name for _, name in _durables(trigger for trigger in TRIGGERS if trigger not in own)]
    asked = [f"CONSUMER.{{}}.{LIFECYCLE}.{name}" for name in names if not name.endswith("-replays")]
    every = [f"CONSUMER.{{}}.{LIFECYCLE}.{trigger.durable}" for trigger in TRIGGERS]
    return (
        *(subject for pattern in asked for subject in _requests(pattern, "MSG.NEXT")),
        *(subject for pattern in every for subject in _requests(pattern, "DELETE")),
    )


def _durables(triggers: Iterable[Trigger[Any]]) -> Iterator[tuple[str, str]]:
    for trigger in triggers:
        yield LIFECYCLE, trigger.durable
        yield REPLAYS, trigger.replays


def _buckets_read() -> Iterator[str]:
    for bucket in _BUCKETS:
        yield from _requests(f"{{}}.KV_{bucket}", "STREAM.INFO", "STREAM.MSG.GET", "DIRECT.GET")
        yield from _requests(f"{{}}.KV_{bucket}.>", "DIRECT.GET")


def _buckets_written() -> Iterator[str]:
    yield from _buckets_read()
    for bucket in _BUCKETS:
        yield from _requests(f"STREAM.{{}}.KV_{bucket}", "CREATE", "UPDATE")
        yield f"$KV.{bucket}.>"
