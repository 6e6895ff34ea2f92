"""What continues when the stack stops: which machines, what they cost per hour, and how to end them."""

from collections.abc import Sequence
from typing import Final

from coldstart.money import money
from coldstart.stack.standing import by_the_hour
from shared.lifecycle.instance import Instance
from shared.lifecycle.words import NAMES

_HOW_TO_END: Final = (
    "To end one: coldstart up, then coldstart instances terminate NAME.",
    "Until then nothing else ends them: limits of lifetime, idle time and spending work only while the stack runs.",
)


def found_standing(instances: Sequence[Instance]) -> list[str]:
    """Printed at a start in a real cloud; empty if there are no instances."""
    if not instances:
        return []
    return [f"standing   {_number(instances)} from before, {_price(instances)}", *map(line_of, instances)]


def stands(instances: Sequence[Instance], cloud: str) -> list[str]:
    """Shown while the stack runs in a real cloud."""
    if not instances:
        return [f"No instance holds anything in {cloud}."]
    return [f"instances  {len(instances)} in {cloud}, {_price(instances)}", *map(line_of, instances)]


def goes_on(instances: Sequence[Instance], cloud: str) -> list[str]:
    """Printed at the end in a real cloud."""
    if not instances:
        return [f"No instance holds anything in {cloud}."]
    first = f"{_number(instances)} in {cloud} {'continue' if len(instances) > 1 else 'continues'} without this stack, "
    return [f"{first}{_price(instances)}:", *map(line_of, instances), *_HOW_TO_END]


def goes_on_unknown(reason: str, cloud: str) -> list[str]:
    return [
        f"Cannot tell what continues in {cloud} and costs money: {reason}",
        f"Look in {cloud} for the tag `coldstart`. The next `coldstart up` prints what is on record.",
    ]


def simulation_pauses(instances: Sequence[Instance]) -> list[str]:
    """For the simulated cloud, whose machines are processes of this stack."""
    machines = [each for each in instances if each.resources.server_id is not None]
    if not machines:
        return []
    s = "" if len(machines) > 1 else "s"
    what = f"stop{s} with it, cost{s} nothing, and start{s} again with the next stack."
    return [f"{_number(machines)} of the simulated cloud {what}"]


def _number(instances: Sequence[Instance]) -> str:
    return f"{len(instances)} instance{'s' if len(instances) > 1 else ''}"


def _price(instances: Sequence[Instance]) -> str:
    """E.g. `1.58 EUR an hour at list price, 1 at an unknown price`."""
    sums = " and ".join(money(amount, currency) for currency, amount in by_the_hour(instances).items())
    unknown = sum(each.hourly_price is None for each in instances)
    parts = (f"{sums} an hour at list price" if sums else "", f"{unknown} at an unknown price" if unknown else "")
    return ", ".join(filter(None, parts)) or "no server of it known to be on"


def line_of(instance: Instance) -> str:
    """Its name, place, type, status and price."""
    place = " ".join(filter(None, (instance.specification.provider, instance.zone, instance.instance_type)))
    price = f"{money(instance.hourly_price, instance.currency)} an hour" if instance.hourly_price is not None else ""
    kept = "kept for inspection" if instance.kept else NAMES[instance.status]
    return "  ".join(filter(None, (f"  {instance.specification.name}", place, kept, price)))
