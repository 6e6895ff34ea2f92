"""What can be rented: server types with their list prices, and the images they boot."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

GIGABYTE: Final = 10**9
GIBIBYTE: Final = 2**30
BOOT_VOLUME_BYTES: Final = 20 * GIGABYTE
IMAGES_NAMESPACE: Final = UUID("51a0c0de-0000-4000-8000-0000000002a9")


@dataclass(frozen=True)
class Gpu:
    name: str
    count: int
    memory: int
    """Bytes of one."""


@dataclass(frozen=True)
class ServerType:
    """`hourly_price` in euro; `ram`, `block_bandwidth` in bytes (a second); `bandwidth` in bits a second."""

    name: str
    ncpus: int
    ram: int
    hourly_price: float
    bandwidth: int
    block_bandwidth: int
    gpu: Gpu | None = None
    boots_from_block: bool = True


@dataclass(frozen=True)
class BootImage:
    label: str
    name: str
    block: bool
    """instance_sbs (True) boots from block storage, instance_local from a local volume."""
    fixed_id: str | None = None

    def id_in(self, zone: str) -> str:
        """Images are local to a zone; only the one that was seen to work has the id that the vendor gave it."""
        return self.fixed_id or str(uuid5(IMAGES_NAMESPACE, f"{zone}/{self.label}/{self.block}"))

    def boots(self, server_type: ServerType) -> bool:
        return self.block is server_type.boots_from_block


def _gpu_type(family: str, count: int, memory: int, *, cpus: int, ram: int, price: float) -> ServerType:
    return ServerType(
        name=f"{family}-{count}-{memory}G",
        ncpus=cpus * count,
        ram=ram * count * GIBIBYTE,
        hourly_price=price * count,
        bandwidth=2_500_000_000 * count,
        block_bandwidth=1_048_576_000,
        gpu=Gpu(family, count, memory * GIBIBYTE),
    )


SERVER_TYPES: Final = {
    rented.name: rented
    for rented in (
        ServerType("DEV1-L", 4, 8 * GIBIBYTE, 0.042, 400_000_000, 209_715_200, boots_from_block=False),
        *(_gpu_type("L4", count, 24, cpus=8, ram=48, price=0.75) for count in (1, 2, 4, 8)),
        *(_gpu_type("L40S", count, 48, cpus=8, ram=96, price=1.4) for count in (1, 2, 4, 8)),
        *(_gpu_type("H100", count, 80, cpus=24, ram=240, price=2.73) for count in (1, 2)),
    )
}

IMAGES: Final = (
    BootImage(
        "ubuntu_noble_gpu_os_13_nvidia",
        "Ubuntu Noble GPU OS 13 (passthrough)",
        block=True,
        fixed_id="5c3d28db-33ce-4997-8572-f49506339283",
    ),
    BootImage("ubuntu_noble", "Ubuntu 24.04 Noble Numbat", block=True),
    BootImage("ubuntu_noble", "Ubuntu 24.04 Noble Numbat", block=False),
)


def find_image(wanted: str, zone: str, server_type: ServerType) -> BootImage | None:
    """The image with this id, or with this label and the right kind of volume for the type."""
    for image in IMAGES:
        if image.boots(server_type) and wanted in (image.id_in(zone), image.label):
            return image
    return None
