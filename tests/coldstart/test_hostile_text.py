"""Whatever stands in what the api tells, a terminal only shows it: no command passes on a control or a markup."""

import io
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from coldstart.cli import app
from coldstart.commands import asking, logs
from coldstart.commands.context import out
from coldstart.stream_messages import DeploymentHappened, Happened
from coldstart.terminal import Terminal
from tests.coldstart.deployed import SERVING, happened_to, shown_after, timeline
from tests.coldstart.fake_api import Answer, FakeApi, page, stream, values
from tests.coldstart.told import ID, LAUNCH, MODEL, an_event, an_instance, told_as
from tests.deployments import facts as f

ACTING: Final = frozenset(
    chr(number)
    for number in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
    )
) - {"\n"}
LITERAL: Final = "[red]G[/red][link=http://evil.test]H[/link]:boom:[/]"
HOSTILE: Final = f"{LITERAL}A\x1b[31mB\x1b]0;title\x07C\x1b]8;;http://evil.test\x1b\\D\x9b2JE\x1bcF" + "".join(
    sorted(ACTING)
)
PARSED: Final = frozenset(
    {
        *("action", "id", "instance_id", "status", "type", "subject", "role", "kind", "rule", "availability"),
        *("group", "tone", "task", "actions", "outcome", "purpose"),
    }
)
"""Fields that are none of anybody's choosing, beside times, which the commands take apart."""


def spoiled(value: Any, name: str = "") -> Any:
    """The same with hostile text in every field that has a text."""
    match value:
        case dict():
            return {key: spoiled(one, key) for key, one in value.items()}
        case Happened(json=message) | DeploymentHappened(json=message):
            return told_as(spoiled(message))
        case list() | tuple():
            return [spoiled(one, name) for one in value]
        case str() if name not in PARSED and "2026-01-" not in value:
            return HOSTILE
        case _:
            return value


LAUNCHES: Final = (*LAUNCH[:3], an_event(4, "ActionDelayed", "installing", 57, reason=HOSTILE), LAUNCH[5])
FAILURE: Final = (LAUNCH[0], an_event(2, "ProvisioningFailed", "provisioning_failed", 5, code="c", message="m"))
DELAY: Final = {
    "action": "install",
    "number": 2,
    "code": "c",
    "reason": "r",
    "next_try_at": "2026-01-01T12:00:00Z",
}
TROUBLED: Final = an_instance("startup_failed", "SshReachable", 50, error={"code": "c", "message": "m"})
DELAYED: Final = an_instance("installing", "SshInstallStarted", 55, delay=DELAY)
KEY: Final = {"id": ID, "prefix": "csk", "name": "mine", "role": "user", "created_at": "2026-01-01T00:00:00Z"}
MODEL_ROW: Final = {"id": ID, "model": MODEL, "task": "generate", "gated": True, "created_at": "2026-01-01T00:00:00Z"}
LINES: Final = {"items": [{"number": 1, "at": "2026-01-01T10:00:01Z", "text": "t"}], "attempt": 1, "install_try": 1}
OFFERED: Final = {
    "provider": "p",
    "name": "L4",
    "gpus": 1,
    "gpu": "L4",
    "gpu_memory_gb": 25.0,
    "zones": ["a"],
    "hourly_price": 1.0,
    "currency": "EUR",
    "availability": {},
}
FOUND: Final = {"kind": "server", "id": "s-1", "zone": "a", "instance_id": ID, "reason": "r", "hint": "h"}
REPORT: Final = {
    "provider": "p",
    "servers": 1,
    **{key: [FOUND] for key in ("removed", "unknown")},
    **{key: [] for key in ("foreign", "lost", "stopped", "restarted", "readdressed", "expired")},
    "errors": ["e"],
}
CANDIDATE: Final = {"id": ID, "name": "n", "status": "ready", "eligible": True, "reason": "r", "in_flight": 3}
RESOLVED: Final = {
    "rule": "public",
    "model": MODEL,
    "detail": "d",
    "instances": [CANDIDATE],
    "deployments": [{"name": "d", "wakes": True, "reason": "r"}],
    "fallback": "f",
}
USED: Final = {
    "day": "2026-01-31",
    "key_id": None,
    "organization_id": None,
    "model": MODEL,
    "instance_id": ID,
    **dict.fromkeys(("requests", "failed_requests", "prompt_tokens", "completion_tokens"), 1),
    "first_byte_ms": {"p50": 34.4, "p95": 1_200.0},
}
STEP: Final = {
    "version": 1,
    "occurred_at": "2026-01-01T12:00:00.000Z",
    "actor": "a",
    "type": "InstanceReady",
    "status": "ready",
    "progress_percent": 100,
}
PATH: Final = {
    **dict.fromkeys(("began_at", "ended_at", "as_of"), STEP["occurred_at"]),
    "attempt": 1,
    "outcome": "ready",
    "seconds": 1.0,
    "waits_for": "w",
    "intervals": [
        {
            **dict.fromkeys(("began_at", "ended_at"), STEP["occurred_at"]),
            **dict.fromkeys(("step", "label"), "s"),
            **dict.fromkeys(("seconds", "slack_seconds"), 1.0),
            "percent": 5,
            "install_try": None,
            "after": ["a"],
            "critical": True,
        }
    ],
}
ORGANIZATION: Final = {
    "id": ID,
    "slug": "acme",
    "name": "Acme",
    "created_at": "2026-01-01T00:00:00Z",
    "at_limit": "drain",
    "max_instances": 4,
    "spend_per_hour": None,
    "spend_per_month": 2000.0,
}
OFFERING: Final = {"name": "acme/chat", "model": MODEL, "active": False, "detail": "d"}
PROBLEM: Final = {"type": "urn:x", "title": "t", "status": 422, "detail": "d", "errors": [{"detail": "d"}]}
INSTANCE: Final = f"/instances/{ID}"
EXPLAINED: Final = {
    **dict.fromkeys(("wanted", "would_be", "ready"), 1),
    "message": "m",
    "figures": dict.fromkeys(("load", "expected", "lead_seconds", "per_replica", "min_replicas", "max_replicas"), 1),
    "steps": ["s"],
}

COMMANDS: Final[Mapping[str, Mapping[tuple[str, str], Any]]] = {
    "instances list": {("GET", "/instances"): page(spoiled(TROUBLED), spoiled(DELAYED))},
    f"instances show {ID}": {("GET", INSTANCE): values(spoiled(TROUBLED))},
    f"instances watch {ID}": {
        ("GET", INSTANCE): values(spoiled(an_instance(version=6))),
        ("GET", f"{INSTANCE}/events"): stream(spoiled(LAUNCHES)),
    },
    f"instances watch {ID} --json": {
        ("GET", INSTANCE): values(spoiled(an_instance(version=2))),
        ("GET", f"{INSTANCE}/events"): stream(spoiled(FAILURE)),
    },
    f"instances create {MODEL} --watch": {
        ("POST", "/instances"): values({**spoiled(DELAYED), "warnings": [HOSTILE]}, 202),
        ("GET", f"{INSTANCE}/events"): stream(spoiled(FAILURE)),
    },
    f"instances create {MODEL}": {("POST", "/instances"): values(spoiled(PROBLEM), 422)},
    f"instances timeline {ID}": {("GET", f"{INSTANCE}/timeline"): page(spoiled(STEP))},
    f"instances critical-path {ID}": {("GET", f"{INSTANCE}/critical-path"): values(spoiled(PATH))},
    f"instances drain {ID} --yes": {("POST", f"{INSTANCE}/drain"): values(spoiled(an_instance("draining")), 202)},
    f"instances logs {ID}": {("GET", f"{INSTANCE}/logs"): values(spoiled(LINES))},
    f"instances logs {ID} --json": {("GET", f"{INSTANCE}/logs"): values(spoiled(LINES))},
    "events tail": {("GET", "/events"): stream(spoiled(LAUNCHES), more=b"event: reset\ndata: {}\n\n")},
    "keys list": {("GET", "/api-keys"): page(spoiled(KEY))},
    "orgs list": {("GET", "/organizations"): page(spoiled(ORGANIZATION))},
    "orgs offerings list acme": {("GET", "/organizations/acme/offerings"): page(spoiled(OFFERING))},
    "models list": {("GET", "/models"): page(spoiled(MODEL_ROW))},
    f"models add {MODEL}": {("POST", "/models"): values(spoiled(MODEL_ROW), 201)},
    f"resolve {MODEL}": {("GET", "/models/resolve"): values(spoiled(RESOLVED))},
    "usage --by model": {("GET", "/usage"): values({"items": [spoiled(USED)], "truncated": False})},
    "instance-types": {("GET", "/instance-types"): page(spoiled(OFFERED))},
    "deployments list": {("GET", "/deployments"): page(spoiled(SERVING))},
    "deployments show chat": {("GET", "/deployments/chat"): values(spoiled(SERVING))},
    "deployments explain chat": {("GET", "/deployments/chat/explain"): values(spoiled(EXPLAINED))},
    "deployments watch chat": {
        ("GET", "/deployments/chat"): values(shown_after(f.deployment_created(wish=f.a_wish(min_replicas=1)))),
        ("GET", "/events"): stream(spoiled(happened_to(f.deployment_created(), f.deployment_degraded(gave_up=True)))),
    },
    "deployments timeline chat": {("GET", "/deployments/chat/timeline"): page(*spoiled(timeline()))},
    "deployments resume chat": {("POST", "/deployments/chat/resume"): values(spoiled(SERVING))},
    f"deploy {MODEL} --name chat": {
        ("GET", "/deployments/chat"): values(spoiled(SERVING)),
        ("PUT", "/deployments/chat"): values(spoiled({**SERVING, "warnings": ["w"]})),
    },
    "reconcile": {("POST", "/reconcile"): values({"items": [spoiled(REPORT)]})},
    "top": {
        ("GET", "/instances"): page(spoiled(TROUBLED), spoiled(DELAYED), spoiled(an_instance())),
        ("GET", "/models/resolve"): values(spoiled(RESOLVED)),
        ("GET", "/usage"): values({"items": []}),
        ("GET", "/events"): stream([]),
    },
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_passes_on_what_acts_on_a_terminal(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setattr(out, "_width", 5_000)  # read from the environment when it was made
    monkeypatch.setattr(logs, "_BETWEEN_S", 0.0)
    for (method, path), answer in COMMANDS[command].items():
        api.says(method, path, answer if isinstance(answer, Answer) else values(answer))
    result = CliRunner().invoke(app, command.split())
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    told = result.stdout + result.stderr
    assert not ACTING & set(told)
    assert LITERAL in told, "it is shown, as what it is"


@pytest.mark.parametrize(
    ("command", "path", "known"),
    [
        (f"models remove {ID}", "/models", page(spoiled(MODEL_ROW))),
        (f"instances terminate {ID}", INSTANCE, values(spoiled(an_instance()))),
    ],
)
def test_no_question_does_either(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, command: str, path: str, known: Answer
) -> None:
    monkeypatch.setenv("COLDSTART_API_URL", api.url)
    monkeypatch.setenv("COLDSTART_API_KEY", "a-key")
    monkeypatch.setattr(asking, "somebody_is_there", lambda: True)
    api.says("GET", path, known)
    api.says("GET", "/models/resolve", values(spoiled(RESOLVED)))
    asked = CliRunner().invoke(app, command.split(), input="n\n").stderr
    assert not ACTING & set(asked)
    assert LITERAL in asked
    assert "[y/N]" in asked


TEXTS: Final = st.text(st.one_of(st.sampled_from(sorted(ACTING)), st.characters()), max_size=40) | st.builds(
    str.__add__, st.just(HOSTILE), st.text()
)


@given(text=TEXTS, live=st.booleans())
def test_no_text_acts_on_a_terminal_wherever_it_stands(text: str, live: bool) -> None:
    shown = io.StringIO()
    terminal = Terminal(file=shown, width=100, force_terminal=live, color_system=None)
    table = Table(text, title=text)
    table.add_row(text)
    table.add_row(Text(text))
    terminal.print(text)
    terminal.print(Text(text), soft_wrap=True)
    if live:
        own = io.StringIO()
        with Live(table, console=Terminal(file=own, width=100, force_terminal=True, color_system=None)):
            pass
        shown.write(own.getvalue().replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\r\x1b[2K", ""))
    else:
        terminal.print(table)
    for character in shown.getvalue():
        assert character not in ACTING or _of_rich(character, shown.getvalue()), repr(character)
        assert unicodedata.category(character) not in {"Cs", "Zl", "Zp"}


def _of_rich(character: str, shown: str) -> bool:
    """What moves the cursor of a live table to its beginning."""
    return character in "\r\x1b" and shown.count("\x1b") == shown.count("\x1b[1A") + shown.count("\x1b[2K")
