"""Deployments as tables: a list of them, one with its replicas, and what happened to one."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from coldstart.actors import who
from coldstart.colours import colour
from coldstart.money import money
from coldstart.progress_table import first_line
from coldstart.waiting import lasted, next_try
from shared.deployments.delays import ReplicaDelay
from shared.deployments.words import what_happened
from shared.lifecycle.groups import StatusGroup
from shared.lifecycle.tone import Tone

Row = Mapping[str, Any]
_SECONDS: Final = frozenset({"scale_down_after", "scale_to_zero_after", "hold", "settle"})
_NAMED: Final = {"revision": "model's revision", "volume_gb": "volume GB", "vllm_args": "vLLM args"}
"""Fields whose own names would say something else, or nothing."""


def full_name(row: Row) -> str:
    """As commands take it: `chat`, or `acme/chat` of an organisation."""
    owner = row["asked"]["organization"]
    return f"{owner}/{row['name']}" if owner else str(row["name"])


def listed_deployments(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("name", overflow="fold")
    table.add_column("model", overflow="fold")
    for head in ("status", "ready"):
        table.add_column(head, no_wrap=True)
    for head in ("requests", "per hour"):
        table.add_column(head, no_wrap=True, justify="right")
    table.add_column("", overflow="fold")
    for row in rows:
        what = (Text(full_name(row)), Text(row["model"]), _status(row), _ready(row))
        table.add_row(
            *what, _requests(row), _price(row, "hourly_price"), Text(first_line(_doing(row) or _missing(row)))
        )
    return table


def shown_deployment(row: Row) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    asked = row["asked"]
    said: dict[str, Any] = {
        "name": full_name(row),
        "id": row["id"],
        "status": _status(row),
        "doing": _doing(row),
        "replicas": ready_of_wanted(row),
        "requests": _requests(row),
        "per hour": _price(row, "hourly_price"),
        "per month": _price(row, "monthly_price"),
        "revision": _revision(row),
        "can": ", ".join(row["actions"]),
        **{_NAMED.get(field, field): _said(value, field) for field, value in asked.items() if field != "organization"},
        "created": row["created_at"][:19],
        "updated": row["updated_at"][:19],
    }
    for name, value in ((name, value) for name, value in said.items() if value):
        table.add_row(name.replace("_", " "), value if isinstance(value, Text) else Text(str(value)))
    return table


def listed_replicas(row: Row) -> Table:
    table = Table("replica", "revision", "id", "status", "zone", "type", "", box=None, pad_edge=False)
    for replica in row["replicas"]:
        instance = replica["instance"]
        where = (str(replica["ordinal"]), str(replica["revision"]), replica["instance_id"][:8])
        why = replica["refusal"]["message"] if replica["refusal"] else "leaving" if replica["leaving"] else ""
        if instance is None:
            table.add_row(*where, "not launched", "", "", Text(first_line(why)))
            continue
        status = Text(instance["status_label"], colour(Tone(instance["tone"])))
        place = (Text(instance["zone"] or ""), Text(instance["instance_type"] or ""))
        table.add_row(*where, status, *place, Text(first_line(why or instance["doing"])))
    return table


def listed_events(rows: Iterable[Row]) -> Table:
    """A timeline's rows, oldest first."""
    table = Table("#", "time", "by", "event", "", "asked for by", box=None, pad_edge=False)
    for row in rows:
        at = datetime.fromisoformat(row["occurred_at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        words = what_happened(row["type"], row["data"])
        asker = Text(who(row.get("requested_by")))
        table.add_row(str(row["version"]), at, Text(row["actor"]), Text(row["type"]), Text(words), asker)
    return table


def ready_of_wanted(row: Row) -> str:
    """As `1 of 3 ready, 2 on their way`."""
    return _ready(row, " ready")


def _ready(row: Row, word: str = "") -> str:
    coming = f", {row['on_their_way']} on their way" if row["on_their_way"] else ""
    return f"{of_wanted(row['ready'], row['wanted'], word)}{coming}"


def of_wanted(ready: int, wanted: int, word: str = " ready") -> str:
    """As `1 of 3 ready`, or `3 of 3 ready, 1 more` while a rollout has more than are wanted."""
    more = f", {ready - wanted} more" if ready > wanted else ""
    return f"{min(ready, wanted)} of {wanted}{word}{more}"


def held_up(doing: str, delay: ReplicaDelay | None, now: datetime) -> str:
    """What a deployment does, with what holds a replica up, for how long already, and when the next try is."""
    if delay is None:
        return doing
    said = [f"for {lasted((now - delay.since).total_seconds())}"]
    if delay.next_try_at is not None:
        said.append(next_try(delay.next_try_at, now))
    what = [doing] if delay.reason in doing else [doing, delay.words]
    return f"{'; '.join(filter(None, what))} ({', '.join(said)})"


def _doing(row: Row) -> str:
    delay = row["delay"] and ReplicaDelay.model_validate(row["delay"])
    return held_up(row["doing"], delay, datetime.fromisoformat(row["as_of"]))


def _missing(row: Row) -> str:
    """What the first replica that is not ready does; empty if as many are ready as are wanted."""
    missing = row["wanted"] - row["ready"]
    if missing <= 0:
        return ""
    staying = (each["instance"] for each in row["replicas"] if each["instance"] and not each["leaving"])
    unready = (instance for instance in staying if instance["group"] != StatusGroup.READY)
    return next((f"{each['name']}: {each['status_label']}" for each in unready), "")


def _revision(row: Row) -> str:
    serving, wanted = row["serving_revision"], row["revision"]
    return str(wanted) if serving == wanted else f"{wanted}, and {serving} is served"


def _status(row: Row) -> Text:
    return Text(row["status_label"], colour(Tone(row["tone"])))


def _requests(row: Row) -> str:
    """In flight and held; empty if no api was heard."""
    load = row["load"]
    if load is None:
        return ""
    held = f" + {load['held']} held" if load["held"] else ""
    return f"{load['in_flight']}{held}"


def _price(row: Row, field: str) -> str:
    return money(row[field], row["currency"]) if row[field] else ""


def _turn(turn: Row) -> str:
    return f"{turn['cron']} ({turn['time_zone']}) {turn['min_replicas']} to {turn['max_replicas']}"


def _said(value: Any, field: str = "") -> str:
    """Empty for what is not set."""
    match value:
        case None if field == "scale_to_zero_after":
            return "never"
        case None | []:
            return ""
        case int() if field in _SECONDS:
            return lasted(value)
        case list() if field == "schedule":
            return "\n".join(map(_turn, value))
        case list():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name} {_said(each, name)}" for name, each in value.items())
        case _:
            return str(value)
