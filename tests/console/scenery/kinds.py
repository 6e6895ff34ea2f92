"""What the pictures' company runs, and how long it takes there."""

from typing import Final

from shared.offers.instance_types import InstanceType
from tests.api.stage import EMBEDDING_MODEL, MODEL

SMALL, CHAT, LARGE, EMBEDDING = MODEL, "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-72B-Instruct", EMBEDDING_MODEL
LOADING_S: Final = {SMALL: 45.0, CHAT: 150.0, LARGE: 900.0, EMBEDDING: 30.0}


def _type(name: str, gpu: str, gpus: int, memory: float, price: float, **stock: str) -> InstanceType:
    zones = tuple(zone.replace("_", "-") for zone in stock)
    availability = dict(zip(zones, stock.values(), strict=True))
    return InstanceType(
        name=name, zones=zones, gpus=gpus, gpu=gpu, gpu_memory_gb=memory, hourly_price=price, currency="EUR",
        availability=availability,
    )  # fmt: skip


TYPES: Final = (
    _type("L4-1-24G", "L4", 1, 24, 0.7875, fr_par_2="available", pl_waw_2="available"),
    _type("L40S-1-48G", "L40S", 1, 48, 1.469916, fr_par_2="available", pl_waw_2="scarce"),
    _type("H100-1-80G", "H100-PCIe", 1, 80, 2.8665, fr_par_2="available", pl_waw_2="available"),
    _type("H100-2-80G", "H100-PCIe", 2, 80, 5.733, fr_par_2="scarce", pl_waw_2="available"),
)
PRICES: Final = {one.name: one.hourly_price for one in TYPES}
