"""What providers offer, what they cost, and what they hold: `coldstart instance-types`, `costs`, `reconcile`."""

from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.asking import Yes, ask
from coldstart.commands.context import Json, api, complain, non_empty, print_json, print_table, say, warn
from coldstart.commands.days import FirstDay, LastDay
from coldstart.commands.naming import OfOrganization, slugs
from coldstart.money import money

RECONCILIATION_S: Final = 150.0
"""Longer than the api waits for the provisioner."""
_FOUND: Final = ("lost", "stopped", "restarted", "readdressed", "expired")


def instance_types(
    provider: Annotated[str | None, typer.Option(help="Only types of this provider.", callback=non_empty)] = None,
    as_json: Json = False,
) -> None:
    """List what can be rented, with prices per hour and availability."""
    with api() as client:
        offered = list(client.pages("/instance-types", provider=provider))
    if as_json:
        print_json(offered)
        return
    columns = ("provider", "type", "GPUs", "GPU memory", "scratch", "per hour", "zones")
    table = Table(*columns, box=None, pad_edge=False)
    for kind in sorted(offered, key=lambda each: (each["hourly_price"] is None, each["hourly_price"] or 0.0)):
        memory = "" if kind["gpu_memory_gb"] is None else f"{kind['gpu_memory_gb']:g} GB"
        scratch = "" if kind.get("scratch_gb") is None else f"{kind['scratch_gb'] / 1000:g} TB"
        zones = ", ".join(f"{zone} ({kind['availability'].get(zone, 'unknown')})" for zone in kind["zones"])
        gpus = f"{kind['gpus']} × {kind['gpu'] or 'GPU'}"
        note = f"unusable: {kind['unusable']}" if kind.get("unusable") else zones
        table.add_row(kind["provider"], kind["name"], gpus, memory, scratch, price(kind), note)
    print_table(table)


def costs(
    begin: FirstDay = None,
    to: LastDay = None,
    organization: OfOrganization = None,
    as_json: Json = False,
) -> None:
    """Show what the servers have cost at list price, by organisation and day (UTC)."""
    with api() as client:
        answer = client.get("/costs", organization=organization, **{"from": begin, "to": to})
        days, unpriced = answer["items"], answer["unpriced"]
        names = {None: "shared", **slugs(client, days)} if not as_json else {}
    if unpriced:
        warn(f"{unpriced:,} more instances had a server on at an unknown price. They are not in these sums.")
    if as_json:
        print_json(days)
        return
    table = Table("day", "organisation", "cost", box=None, pad_edge=False)
    for day in days:
        table.add_row(day["day"], names[day["organization_id"]], money(day["cost"], day["currency"]))
    print_table(table)


def reconcile(
    *,
    delete_unknown: Annotated[
        bool, typer.Option("--delete-unknown", help="Delete resources with our tag that belong to no known instance.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Compare what the providers hold with the journal, now."""
    if delete_unknown:
        kinds = "servers, volumes, disk snapshots, addresses and security groups"
        words = f"That is {kinds} with its tag. This cannot be undone."
        ask("Delete all resources of instances that this installation does not know?", words, yes=yes)
    with api() as client:
        reports = client.post("/reconcile", {"delete_unknown": delete_unknown}, timeout_s=RECONCILIATION_S)["items"]
    if as_json:
        print_json(reports)
    else:
        for report in reports:
            _say(report)
    if any(report["errors"] for report in reports):
        raise typer.Exit(1)


def price(item: dict[str, Any]) -> str:
    return money(item["hourly_price"], item["currency"]) or "unknown"


def _say(report: dict[str, Any]) -> None:
    say(f"{report['provider']}: {report['servers']} servers looked at")
    for name in _FOUND:
        for instance_id in report[name]:
            say(f"  {name}: instance {instance_id}")
    table = Table("", "kind", "id", "zone", "instance", "", box=None, pad_edge=False, show_header=False)
    for gone in report["removed"]:
        table.add_row("removed", gone["kind"], gone["id"], gone["zone"], gone["instance_id"], gone["reason"])
    for unknown in report["unknown"]:
        table.add_row(
            "unknown",
            unknown["kind"],
            unknown["id"],
            unknown["zone"],
            unknown["instance_id"] or "",
            Text(unknown["hint"]),
        )
    for other in report["foreign"]:
        installation = Text(f"of installation {other['installation'] or 'unknown'}")
        table.add_row("other", "server", other["id"], other["zone"], other["instance_id"] or "", installation)
    if table.row_count:
        print_table(table)
    if report["foreign"]:
        say(f"  of other installations: {len(report['foreign'])}, never touched")
    for error in report["errors"]:
        complain(f"  {error}")
