"""What can be rented where, and what it boots."""

from typing import Final
from uuid import UUID

from scaleway.instance.v1 import ServerType
from scaleway.marketplace.v2 import LocalImage, LocalImageType

from services.provisioner.providers.scaleway.sdk import PAGE_SIZE, Sdk, pages
from shared.bus.instance_types import InstanceType

SHORTAGE: Final = "shortage"


class Products:
    def __init__(self, sdk: Sdk, image: str) -> None:
        self._instance = sdk.instance
        self._marketplace = sdk.marketplace
        self._image = image

    def image(self, zone: str, instance_type: str) -> str:
        """The id of the zone's image with our label that this type boots, from block storage if it can.

        Without one it is the label itself: then the cloud says whether the type or the image is unknown to it.
        """
        if _is_id(self._image):
            return self._image

        def page(number: int) -> tuple[list[LocalImage], int]:
            answer = self._marketplace.list_local_images(
                zone=zone, image_label=self._image, page=number, page_size=PAGE_SIZE
            )
            return answer.local_images, answer.total_count

        booting = [image for image in pages(page) if instance_type in image.compatible_commercial_types]
        if not booting:
            return self._image
        return min(booting, key=lambda image: image.type_ != LocalImageType.INSTANCE_SBS).id

    def gpu_types(self, zone: str) -> list[tuple[bool, str, InstanceType]]:
        """Each type with GPUs that may still be made here, after whether it is short, and its zone."""
        short = self._short(zone)

        def page(number: int) -> tuple[list[tuple[str, ServerType]], int]:
            answer = self._instance.list_servers_types(zone=zone, page=number, per_page=PAGE_SIZE)
            return list(answer.servers.items()), answer.total_count

        return [
            (
                name in short,
                zone,
                InstanceType(name=name, zones=(zone,), gpus=kind.gpu, gpu=kind.gpu_info and kind.gpu_info.gpu_name),
            )
            for name, kind in pages(page)
            if kind.gpu and not kind.end_of_service
        ]

    def _short(self, zone: str) -> set[str]:
        def page(number: int) -> tuple[list[tuple[str, str]], int]:
            answer = self._instance.get_server_types_availability(zone=zone, page=number, per_page=PAGE_SIZE)
            return [(name, str(each.availability)) for name, each in answer.servers.items()], answer.total_count

        return {name for name, availability in pages(page) if availability == SHORTAGE}


def _is_id(image: str) -> bool:
    try:
        UUID(image)
    except ValueError:
        return False
    return True
