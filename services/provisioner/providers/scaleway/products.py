"""Which types can be rented in which zone, and which image they boot."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final
from uuid import UUID

from scaleway.instance.v1 import ServerType
from scaleway.marketplace.v2 import LocalImage, LocalImageType

from services.provisioner.provider import GIGABYTE
from services.provisioner.providers.scaleway.errors import NoImage
from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from shared.offers.instance_types import Availability, InstanceType

GIBIBYTE: Final = 2**30
SHORTAGE: Final[Availability] = "shortage"
TOLD: Final[Mapping[str, Availability]] = {"available": "available", "scarce": "scarce", SHORTAGE: SHORTAGE}
CURRENCY: Final = "EUR"
"""Scaleway's price lists are in euros; the API names no currency."""


class Products:
    def __init__(self, sdk: Sdk, image: str) -> None:
        self._instance = sdk.instance
        self._marketplace = sdk.marketplace
        self._image = image
        self._scratch: dict[str, Mapping[str, int]] = {}
        self._snapshots: dict[str, dict[str, str | None]] = {}
        """By zone: the snapshot of each image that our label has meant."""

    def scratch_bytes(self, zone: str, instance_type: str) -> int:
        """The size of the scratch volume that this type can have; 0: none. The zone's types are listed once."""
        if zone not in self._scratch:
            self._types(zone)
        return self._scratch[zone].get(instance_type, 0)

    def image(self, zone: str, instance_type: str) -> str:
        """The id of the zone's image with our label that this type can boot, from block storage if possible.

        Without one it returns the label: the cloud then says whether the type or the image is unknown.
        """
        if _is_id(self._image):
            return self._image
        booting = [image for image in self._local_images(zone) if instance_type in image.compatible_commercial_types]
        if not booting:
            return self._image
        return min(booting, key=lambda image: image.type_ != LocalImageType.INSTANCE_SBS).id

    def image_boots(self, zone: str, types: Iterable[InstanceType]) -> bool:
        """Whether the zone has our image and it boots one of these types. Of an id, only the first can be asked."""
        try:
            if _is_id(self._image):
                self._instance.get_image(zone=zone, image_id=self._image)
                return True
            images = self._local_images(zone)
        except NoImage:
            return False
        booting = {name for image in images for name in image.compatible_commercial_types}
        return any(kind.name in booting for kind in types)

    def snapshots(self, zone: str) -> frozenset[str]:
        """The snapshots from which boot volumes of our image were made in this zone since this process began.

        A label gets another image, with another snapshot, when Scaleway publishes a newer one.
        """
        known = self._snapshots.setdefault(zone, {})
        with suppress(NoImage):
            ids = [self._image] if _is_id(self._image) else [image.id for image in self._local_images(zone)]
            for image_id in ids:
                if image_id not in known:
                    image = self._instance.get_image(zone=zone, image_id=image_id).image
                    known[image_id] = image.root_volume.id if image and image.root_volume else None
        return frozenset(filter(None, known.values()))

    def _local_images(self, zone: str) -> list[LocalImage]:
        def page(number: int) -> tuple[list[LocalImage], int]:
            answer = self._marketplace.list_local_images(
                zone=zone, image_label=self._image, page=number, page_size=PAGE_SIZE
            )
            return answer.local_images, answer.total_count

        return list(pages(page))

    def gpu_types(self, zone: str) -> list[InstanceType]:
        """Each type with GPUs that can still be created here.

        The types' names count memory in 2³⁰ bytes a GB. A type that is missing from the zone's list of availability, if
        there is a list at all, cannot be had there.
        """
        availability = self._availability(zone)
        unlisted = SHORTAGE if availability else None
        return [
            InstanceType(
                name=name,
                zones=(zone,),
                gpus=kind.gpu,
                gpu=kind.gpu_info and kind.gpu_info.gpu_name,
                gpu_memory_gb=kind.gpu_info and kind.gpu_info.gpu_memory / GIBIBYTE,
                vcpus=kind.ncpus,
                memory_gb=kind.ram / GIBIBYTE,
                scratch_gb=(kind.scratch_storage_max_size or 0) / GIGABYTE or None,
                hourly_price=kind.hourly_price,
                currency=CURRENCY,
                availability={zone: word} if (word := availability.get(name, unlisted)) else {},
            )
            for name, kind in self._types(zone).items()
            if kind.gpu and not kind.end_of_service
        ]

    def _types(self, zone: str) -> dict[str, ServerType]:
        """Every type of the zone, by name. Remembers their scratch storage."""

        def page(number: int) -> tuple[list[tuple[str, ServerType]], int]:
            answer = self._instance.list_servers_types(zone=zone, page=number, per_page=PAGE_SIZE)
            return list(answer.servers.items()), answer.total_count

        types = dict(pages(page))
        self._scratch[zone] = {name: kind.scratch_storage_max_size or 0 for name, kind in types.items()}
        return types

    def _availability(self, zone: str) -> dict[str, Availability | None]:
        """The availability of each type that the list names; None for an unknown word."""

        def page(number: int) -> tuple[list[tuple[str, str]], int]:
            answer = self._instance.get_server_types_availability(zone=zone, page=number, per_page=PAGE_SIZE)
            return [(name, str(each.availability)) for name, each in answer.servers.items()], answer.total_count

        return {name: TOLD.get(word) for name, word in pages(page)}


def in_all_zones(offers: Iterable[InstanceType]) -> tuple[InstanceType, ...]:
    """One entry per name; its zones with stock come first."""
    types: dict[str, InstanceType] = {}
    for kind in sorted(offers, key=lambda each: SHORTAGE in each.availability.values()):
        known = types.get(kind.name)
        types[kind.name] = kind if known is None else _joined(known, kind)
    return tuple(types[name] for name in sorted(types))


def _joined(known: InstanceType, other: InstanceType) -> InstanceType:
    zones, availability = (*known.zones, *other.zones), {**known.availability, **other.availability}
    return known.model_copy(update={"zones": zones, "availability": availability})


def _is_id(image: str) -> bool:
    try:
        UUID(image)
    except ValueError:
        return False
    return True
