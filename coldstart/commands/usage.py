"""`coldstart usage`: requests and tokens, by key, organisation, model, instance or day."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from coldstart.commands.context import Json, api, print_json, print_table, say, warn
from coldstart.commands.days import FirstDay, LastDay
from coldstart.commands.naming import BEGINNING, OfOrganization, slugs


class By(StrEnum):
    DAY = "day"
    KEY = "key"
    ORGANIZATION = "organization"
    MODEL = "model"
    INSTANCE = "instance"


_FIELDS: Final = {By.KEY: "key_id", By.ORGANIZATION: "organization_id", By.INSTANCE: "instance_id"}


def usage(
    *,
    by: Annotated[
        list[By] | None, typer.Option("--by", help="Group by this; repeatable. Default: day and model.")
    ] = None,
    begin: FirstDay = None,
    to: LastDay = None,
    organization: OfOrganization = None,
    as_json: Json = False,
) -> None:
    """Show requests and tokens. Days are in UTC. Default: the last thirty days."""
    groups = list(dict.fromkeys(by or (By.DAY, By.MODEL)))
    with api() as client:
        query = {"from": begin, "to": to, "organization": organization}
        answer = client.get("/usage", group_by=groups, **query)
        sums = answer["items"]
        names = slugs(client, sums) if not as_json else {}
    if answer["truncated"]:
        warn(f"Only the first {len(sums):,} sums are shown. Ask for fewer days, or group by less.")
    if as_json:
        print_json(sums)
        return
    if not sums:
        say("Nothing was used.")
        return
    table = Table(*groups, box=None, pad_edge=False)
    for head in ("requests", "failed", "prompt tokens", "completion tokens", "first byte p50, p95"):
        table.add_column(head, justify="right")
    for row in sums:
        table.add_row(*(_group(row, group, names) for group in groups), *_figures(row))
    print_table(table)


def _group(row: dict[str, Any], group: By, names: Mapping[str | None, str]) -> Text:
    """An organisation's slug; the beginning of the id of a key or an instance."""
    value = row[_FIELDS.get(group, group)]
    if value is None:
        return Text("none")
    return Text(names.get(value, str(value)[:BEGINNING]) if group in _FIELDS else str(value))


def _figures(row: dict[str, Any]) -> tuple[str, ...]:
    counts = ("requests", "failed_requests", "prompt_tokens", "completion_tokens")
    p50, p95 = row["first_byte_ms"]["p50"], row["first_byte_ms"]["p95"]
    return *(f"{row[name]:,}" for name in counts), "" if p50 is None else f"{p50:,.0f} ms, {p95:,.0f} ms"
