"""What a snapshot costs, by Scaleway's public catalogue of products."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scaleway.product_catalog.v2alpha1 import (
    ListPublicCatalogProductsRequestProductType,
    PublicCatalogProduct,
    PublicCatalogProductUnitOfMeasureCountableUnit,
)

from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages

MONTH_H: Final = 730
"""Hours of a month in Scaleway's price lists."""
NANO: Final = 10**-9
_READ_EVERY_S: Final = 3_600.0


@dataclass(frozen=True)
class SnapshotPrice:
    """For a GB and a month."""

    amount: float
    currency: str


class SnapshotPrices:
    """Each zone's is read once an hour."""

    def __init__(self, sdk: Sdk, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._catalog = sdk.catalog
        self._monotonic = monotonic
        self._read: dict[str, tuple[SnapshotPrice | None, float]] = {}

    def of(self, zone: str) -> SnapshotPrice | None:
        """None if the catalogue has none for this zone. Raises ProviderError."""
        known, until = self._read.get(zone, (None, 0.0))
        if self._monotonic() < until:
            return known
        price = next(filter(None, map(_price, self._products(zone))), None)
        self._read[zone] = (price, self._monotonic() + _READ_EVERY_S)
        return price

    def _products(self, zone: str) -> list[PublicCatalogProduct]:
        def page(number: int) -> tuple[list[PublicCatalogProduct], int]:
            answer = self._catalog.list_public_catalog_products(
                product_types=[ListPublicCatalogProductsRequestProductType.BLOCK_STORAGE],
                zone=zone,
                page=number,
                page_size=PAGE_SIZE,
            )
            return answer.products, answer.total_count

        return pages(page)


def _price(product: PublicCatalogProduct) -> SnapshotPrice | None:
    """A block product's price is for a gigabyte and an hour; None of anything but snapshots."""
    block = product.properties and product.properties.block_storage
    price, unit = product.price and product.price.retail_price, product.unit_of_measure
    if not block or block.snapshot is None or not price or not unit or not unit.size:
        return None
    if unit.unit != PublicCatalogProductUnitOfMeasureCountableUnit.GIGABYTE:
        return None
    return SnapshotPrice((price.units + price.nanos * NANO) / unit.size * MONTH_H, price.currency_code)
