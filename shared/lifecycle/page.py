"""docs/lifecycle.md, drawn from the tables: `python -m shared.lifecycle.page > docs/lifecycle.md`."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from shared.lifecycle import events as e
from shared.lifecycle.events import EVENTS, Event
from shared.lifecycle.fact import Action, AttemptFact, Fact
from shared.lifecycle.plan import INSTALLING, LAUNCHING, RELEASING
from shared.lifecycle.progress import LABELS, PROGRESS, REINSTALL, SPREAD
from shared.lifecycle.status import ENDING, FAILURES, LIVE, WATCHED, Status
from shared.lifecycle.transitions import TRANSITIONS

Row = Sequence[object]
_GROUPS: Final[Mapping[str, frozenset[Status]]] = {"any live status": LIVE, "any failure": FAILURES}


def lifecycle_page() -> str:
    """The page in Markdown, with its state diagram in Mermaid."""
    return f"""\
# The lifecycle of an instance

<!-- Drawn from shared/lifecycle by `python -m shared.lifecycle.page`. Do not edit: a test compares them. -->

Every change of an instance is a fact. A fact without a move from the instance's status is late, not wrong: it enters
the timeline and changes no status. A fact of an earlier or later attempt enters the timeline and changes nothing.

{_diagram()}

## Statuses

{table(("status", "live", "watched by health", "progress and step stand still"), _statuses())}

## Moves

{table(("event", "from", "to"), _moves())}

## Progress

Progress is the highest of these steps that the attempt has reached. A reinstall begins at {REINSTALL} %.

{table(("step", "percent", "what the instance does then"), _progress())}

## What the provisioner does

Each event asks for at most one action, and only while the instance still needs it. An instance that has ended is
released instead, whichever event comes, until nothing of it is left. An instance that failed to start may be kept for
inspection.

{table(("event", "action"), _actions())}

## Facts

Every fact carries `instance_id` and `occurred_at`. Two facts of one type are the same fact if the fields in the last
column are equal; the journal keeps it once.

{table(("event", "meaning", "fields", "the same fact by"), _facts())}
"""


def _diagram() -> str:
    common = {name: _common_moves(group) for name, group in _GROUPS.items()}
    lines = [
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {Status.PROVISIONING}: {e.InstanceRequested.type()}",
    ]
    for status, moves in TRANSITIONS.items():
        shared = {move for name, group in _GROUPS.items() if status in group for move in common[name].items()}
        own = {kind: after for kind, after in moves.items() if (kind, after) not in shared}
        lines += _arrows(status.value, own)
    for number, (name, moves) in enumerate(common.items(), start=1):
        lines += [f'    state "{name}" as group{number}', *_arrows(f"group{number}", moves)]
    return "\n".join([*lines, "```"])


def _common_moves(statuses: Iterable[Status]) -> dict[type[Event], Status]:
    """The moves that all of these statuses share: drawn once, or the arrows would hide the rest."""
    first, *others = (TRANSITIONS[status] for status in sorted(statuses))
    return {kind: after for kind, after in first.items() if all(other.get(kind) is after for other in others)}


def _arrows(source: str, moves: Mapping[type[Event], Status]) -> list[str]:
    targets = sorted(set(moves.values()), key=list(Status).index)
    return [
        f"    {source} --> {target}: {', '.join(kind.type() for kind in moves if moves[kind] is target)}"
        for target in targets
    ]


def _statuses() -> Iterable[Row]:
    for status in Status:
        yield f"`{status}`", *("yes" if status in group else "" for group in (LIVE, WATCHED, ENDING))


def _moves() -> Iterable[Row]:
    for kind in EVENTS.values():
        for after in Status:
            sources = [status for status in Status if TRANSITIONS[status].get(kind) is after]
            if sources:
                yield kind.type(), ", ".join(f"`{status}`" for status in sources), f"`{after}`"


def _progress() -> Iterable[Row]:
    worth = {kind: (percent, percent) for kind, percent in PROGRESS.items()}
    worth |= {kind: (percents.start, percents[-1]) for kind, percents in SPREAD.items()}
    for kind, (first, last) in sorted(worth.items(), key=lambda item: item[1]):
        yield kind.type(), first if first == last else f"{first}–{last}", LABELS[kind.type()]


def _actions() -> Iterable[Row]:
    for kind, action in {**LAUNCHING, **INSTALLING}.items():
        yield kind.type(), action.replace("_", " ")
    for kind in RELEASING:
        yield kind.type(), f"{Action.RELEASE}, when the instance has ended"


def _facts() -> Iterable[Row]:
    for kind in EVENTS.values():
        meaning = " ".join((kind.__doc__ or "").split())
        fields = [name for name in kind.model_fields if name not in Fact.model_fields]
        identity = ("attempt", *kind.identity) if issubclass(kind, AttemptFact) else kind.identity
        yield kind.type(), meaning, names(fields), names(("instance_id", *identity))


def names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def table(heads: Sequence[str], rows: Iterable[Row]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(lifecycle_page())
