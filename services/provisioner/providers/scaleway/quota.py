"""What the organisation's quotas let be rented of each type with GPUs. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from scaleway.iam.v1alpha1 import Quotum

from shared.offers.instance_types import InstanceType
from shared.offers.provider_status import ProviderCheck

SUBJECT: Final = "quota"
_QUOTUM: Final = "cp_servers_type_"
"""The name of a type's quota is this and the type's name with underscores, as in Scaleway's refusals of orders."""
_WHAT_TO_DO: Final = (
    "verify the organisation's identity in Scaleway's console, then raise the quota there (Organization, Quotas), or "
    "ask for it by a support ticket"
)

Sold = Mapping[str, Sequence[InstanceType]]
"""The types with GPUs by zone."""


def quota_check(quotas: Mapping[str, Quotum], sold: Sold) -> ProviderCheck:
    """Whether one server of each type may be rented; a quota that is not listed counts as enough."""
    offered = [(kind.name, zone) for zone, types in sold.items() for kind in types]
    none = [(name, zone) for name, zone in offered if _limit(quotas.get(quota_name(name)), zone) == 0]
    problem = f"it is 0 for {_in_words(none, offered)}: {_WHAT_TO_DO}"
    return ProviderCheck.by_extent(
        SUBJECT, len(none), len(offered), problem, "at least one server of each type with GPUs may be rented"
    )


def quota_name(instance_type: str) -> str:
    return _QUOTUM + instance_type.replace("-", "_")


def _limit(quotum: Quotum | None, zone: str) -> int | None:
    """How many may run in this zone; None if that is unlimited or not known."""
    if quotum is None:
        return None
    for each in quotum.limits:
        if str(each.zone) == zone:
            return None if each.unlimited else each.limit
    return None if quotum.unlimited else quotum.limit


def _in_words(some: Sequence[tuple[str, str]], offered: Sequence[tuple[str, str]]) -> str:
    """E.g. `H100-1-80G, L4-1-24G in pl-waw-2`: the zone is named if the quota of another zone is not 0."""
    words = []
    for name, zone in some:
        everywhere = all(pair in some for pair in offered if pair[0] == name)
        words.append(name if everywhere else f"{name} in {zone}")
    return ", ".join(dict.fromkeys(words))
