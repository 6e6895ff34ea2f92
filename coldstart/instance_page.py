"""One instance as `coldstart instances show` tells it: what a person wants to know first, first."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from coldstart.actors import who
from coldstart.colours import painted
from coldstart.money import money
from coldstart.waiting import expected, lasted, next_try
from shared.actor import Actor
from shared.description import InstanceView
from shared.lifecycle.words import cause


def page(instance: InstanceView, endpoint: Sequence[str]) -> RenderableType:
    """`endpoint`: the lines that say how a ready one is called."""
    title = Text.assemble((instance.name, "bold"), "  ", painted(instance))
    place = " in ".join(part for part in (instance.instance_type, instance.zone) if part)
    where = " on ".join(part for part in (instance.model, place) if part)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(instance):
        if value:
            table.add_row(name, Text(value))
    called = [Text(line, overflow="fold") for line in (*endpoint, "")] if endpoint else []
    return Group(title, Text(where), Text(), *called, table)


def _rows(instance: InstanceView) -> Iterator[tuple[str, str]]:
    """Name and value; those without a value are left out."""
    yield "error", cause(instance.error) if instance.error else ""
    yield "step", _step(instance)
    yield "delay", next_try(instance.delay.next_try_at, instance.as_of) if instance.delay else ""
    yield "waits for", instance.waits_for or ""
    yield "expected", expected(instance.eta) if instance.eta else ""
    yield "you can", ", ".join(instance.actions)
    yield "costs", _costs(instance)
    yield "image", instance.image or ""
    yield "vLLM", instance.vllm_version or ""
    yield "worker TLS", instance.worker_tls or ""
    yield "address", instance.ip_address or ""
    yield "provider", instance.provider
    yield "purpose", "" if instance.purpose == "serve" else str(instance.purpose)
    yield "attempt", str(instance.attempt) if instance.attempt > 1 else ""
    yield "created by", _who(instance.created_by)
    yield "asked by", _who(instance.requested_by) if instance.requested_by != instance.created_by else ""
    yield "created", _at(instance.created_at)
    yield "ready", _at(instance.ready_at)
    yield "organisation", str(instance.organization_id or "")
    yield "id", str(instance.id)


def _step(instance: InstanceView) -> str:
    since = instance.step_since or instance.status_since
    for_how_long = f"for {lasted((instance.as_of - since).total_seconds())}" if since else ""
    return ", ".join(part for part in (instance.where, f"{instance.progress_percent} %", for_how_long) if part)


def _costs(instance: InstanceView) -> str:
    so_far, hourly = money(instance.cost, instance.currency), money(instance.hourly_price, instance.currency)
    going_on = f"{hourly} an hour while its server is on" if hourly and instance.server_on else ""
    return ", ".join(part for part in (f"{so_far} so far" if so_far else "", going_on) if part)


def _who(actor: Actor | None) -> str:
    return who(actor.model_dump(mode="json") if actor else None)


def _at(moment: datetime | None) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""
