"""What declared deployments may cost an hour: their fewest and most replicas, at list price."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coldstart.api_client import Api, ApiProblem
from coldstart.declared.kinds import DeclaredDeployment
from coldstart.money import money
from shared.lifecycle.wish import DEFAULT_PROVIDER

Offered = Mapping[str, Any]


@dataclass(frozen=True)
class HourlyCost:
    """From `least` (the fewest replicas of the cheapest type) to `most` (the most replicas of the dearest)."""

    least: float
    most: float
    currency: str | None

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{money(self.most, self.currency)} an hour"
        return f"{self.least:.2f} to {money(self.most, self.currency)} an hour"


def hourly_cost(client: Api, deployment: DeclaredDeployment, offered: Sequence[Offered]) -> HourlyCost | None:
    """None if a price is not known. `offered`: the items of GET /instance-types."""
    types = _types(client, deployment, offered)
    prices, currencies = [kind["hourly_price"] for kind in types], {kind["currency"] for kind in types}
    if not prices or None in prices or len(currencies) > 1:
        return None
    bounds = [(deployment.min_replicas, deployment.max_replicas)]
    bounds += [(turn.min_replicas, turn.max_replicas) for turn in deployment.schedule]
    fewest, most = min(least for least, _ in bounds), max(most for _, most in bounds)
    return HourlyCost(fewest * min(prices), most * max(prices), currencies.pop())


def total(costs: Iterable[HourlyCost | None]) -> list[HourlyCost]:
    """By currency, without what is unknown."""
    known = [cost for cost in costs if cost is not None]
    return [
        HourlyCost(sum(cost.least for cost in same), sum(cost.most for cost in same), currency)
        for currency in sorted({cost.currency for cost in known}, key=str)
        if (same := [cost for cost in known if cost.currency == currency])
    ]


def _types(client: Api, deployment: DeclaredDeployment, offered: Sequence[Offered]) -> list[Offered]:
    """The types that a replica may get: those named or, for any, the cheapest that the model fits."""
    named, zones = deployment.fields()["instance_types"], set(deployment.fields()["zones"])
    providers = {kind["provider"] for kind in offered}
    provider = deployment.provider or (min(providers) if len(providers) == 1 else DEFAULT_PROVIDER)
    sold = [kind for kind in offered if kind["provider"] == provider and kind["gpus"] and not kind["unusable"]]
    sold = [kind for kind in sold if not zones or zones & set(kind["zones"])]
    if named:
        return [kind for kind in sold if kind["name"] in named]
    fitting = _fitting(client, deployment)
    sold = [kind for kind in sold if fitting is None or (kind["provider"], kind["name"]) in fitting]
    return sorted(sold, key=lambda kind: (kind["hourly_price"] is None, kind["hourly_price"]))[:1]


def _fitting(client: Api, deployment: DeclaredDeployment) -> set[tuple[str, str]] | None:
    """Providers and types that the model may fit; None if nobody can tell, as of a model that does not exist yet."""
    asked = ("model", "organization", "task", "provider", "image", "revision", "vllm_args")
    body = deployment.model_dump(mode="json", include=set(asked), exclude_none=True)
    try:
        items = client.post("/models/fit", body)["items"]
    except ApiProblem:
        return None
    return {(kind["provider"], kind["instance_type"]) for kind in items if kind["fits"] != "no"}
