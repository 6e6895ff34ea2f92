"""What can be rented in which zone: server types with their list prices, and the images they boot.

GPU types, figures and zones are those that Scaleway's API told in July 2026 (GET products/servers of fr-par-1, fr-par-2
and pl-waw-2, in the recordings of its Terraform provider: server-scratch-storage, data-source-server-type-compare-with-
pcu; and of its command line: test-server-type-list-on-fr-par1). DEV1-L has no GPU and boots from a local volume.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid5

GIGABYTE: Final = 10**9
GIBIBYTE: Final = 2**30
BOOT_VOLUME_BYTES: Final = 20 * GIGABYTE
SNAPSHOT_GB_HOUR: Final = 0.00004
"""Euros, by the size of the volume: Scaleway's page "How am I billed for Scaleway Elements services?"."""
IMAGES_NAMESPACE: Final = UUID("51a0c0de-0000-4000-8000-0000000002a9")


@dataclass(frozen=True)
class Gpu:
    name: str
    count: int
    memory: int
    """Bytes of one."""


@dataclass(frozen=True)
class ServerType:
    """`hourly_price` in euros, `ram` in bytes, `block_bandwidth` in bytes and `bandwidth` in bits per second."""

    name: str
    ncpus: int
    ram: int
    hourly_price: float
    bandwidth: int
    block_bandwidth: int
    gpu: Gpu | None = None
    boots_from_block: bool = True
    local_storage: int = 0
    """The most bytes of local volumes."""
    scratch: int = 0
    """The most bytes of its one scratch volume; 0: it can have none."""


@dataclass(frozen=True)
class BootImage:
    label: str
    name: str
    block: bool
    """instance_sbs (True) boots from block storage, instance_local from a local volume."""
    fixed_id: str | None = None
    snapshot: str | None = None
    """Of an image that somebody has made: its own snapshot."""
    size: int = BOOT_VOLUME_BYTES
    """Of its boot volumes, in bytes."""

    def id_in(self, zone: str) -> str:
        """Images are local to a zone; only the one that was seen to work has the id that the vendor gave it."""
        return self.fixed_id or str(uuid5(IMAGES_NAMESPACE, f"{zone}/{self.label}/{self.block}"))

    def snapshot_in(self, zone: str) -> str:
        """The block snapshot from which boot volumes are made."""
        return self.snapshot or str(uuid5(IMAGES_NAMESPACE, f"{zone}/{self.label}/snapshot"))

    def boots(self, server_type: ServerType) -> bool:
        return self.block is server_type.boots_from_block


def _gpu_type(
    name: str, gpu: Gpu, price: float, *, cpus: int, ram: int, gigabits: float, block_mib: int, scratch_gb: int = 0
) -> ServerType:
    """`ram` in GiB, `gigabits` of network, `block_mib` of block storage per second."""
    return ServerType(
        name=name,
        ncpus=cpus,
        ram=ram * GIBIBYTE,
        hourly_price=price,
        bandwidth=round(gigabits * 10**9),
        block_bandwidth=block_mib * 2**20,
        gpu=gpu,
        scratch=scratch_gb * GIGABYTE,
    )


def _gpu(name: str, count: int, gib: int) -> Gpu:
    return Gpu(name, count, gib * GIBIBYTE)


def _gpu_types(
    name: str,
    gpu: str,
    gib: int,
    *,
    cpus: int,
    ram: int,
    sizes: Mapping[int, tuple[float, float, int]],
    scratch_gb: int = 0,
) -> tuple[ServerType, ...]:
    """The types with this GPU: `cpus`, `ram` and `scratch_gb` are for each one of it.

    `sizes`: by the number of GPUs, the type's price, gigabits of network and MiB of block storage per second.
    """
    return tuple(
        _gpu_type(
            name.format(n), _gpu(gpu, n, gib), price,
            cpus=cpus * n, ram=ram * n, gigabits=gigabits, block_mib=mib, scratch_gb=scratch_gb * n,
        )
        for n, (price, gigabits, mib) in sizes.items()
    )  # fmt: skip


_P100: Final = replace(
    _gpu_type("RENDER-S", _gpu("P100", 1, 16), 1.221, cpus=10, ram=42, gigabits=2, block_mib=2048),
    local_storage=400 * GIGABYTE,
)
_L4: Final = _gpu_types(
    "L4-{}-24G", "L4", 24, cpus=8, ram=48,
    sizes={1: (0.7875, 2.5, 1000), 2: (1.575, 5, 1500), 4: (3.15, 10, 2500), 8: (6.3, 20, 5000)},
)  # fmt: skip
_L40S: Final = _gpu_types(
    "L40S-{}-48G", "L40S", 48, cpus=8, ram=96, scratch_gb=1600,
    sizes={1: (1.469916, 2.5, 1000), 2: (2.939832, 5, 1500), 4: (5.879664, 10, 2500), 8: (11.759328, 20, 5000)},
)  # fmt: skip
_H100: Final = _gpu_types(
    "H100-{}-80G", "H100-PCIe", 80, cpus=24, ram=240, scratch_gb=3000,
    sizes={1: (2.8665, 10, 2000), 2: (5.733, 20, 4000)},
)  # fmt: skip
_H100_SXM: Final = _gpu_types(
    "H100-SXM-{}-80G", "H100-SXM", 80, cpus=16, ram=120, scratch_gb=1600,
    sizes={2: (6.6198, 20, 5000), 4: (12.771, 20, 5000), 8: (25.3308, 20, 5000)},
)  # fmt: skip
_B300: Final = _gpu_types(
    "B300-SXM-{}-288G", "B300-SXM", 288, cpus=28, ram=480, scratch_gb=3000,
    sizes={2: (18.96, 20, 5000), 4: (34.08, 20, 5000), 8: (60.0, 20, 5000)},
)  # fmt: skip
_WITHOUT_GPU: Final = (
    ServerType(
        "DEV1-L", 4, 8 * GIBIBYTE, 0.042, 400_000_000, 209_715_200, boots_from_block=False, local_storage=80 * GIGABYTE
    ),
)
_SOLD: Final[Mapping[str, tuple[ServerType, ...]]] = {
    "fr-par-1": (_P100,),
    "fr-par-2": (*_B300, *_H100, *_H100_SXM, *_L4, *_L40S, _P100),
    "pl-waw-2": (*_H100, *_L4, *_L40S),
}
"""GPU types by zone."""

SERVER_TYPES: Final = {
    rented.name: rented for rented in (*_WITHOUT_GPU, _P100, *_L4, *_L40S, *_H100, *_H100_SXM, *_B300)
}


def quota_name(server_type: str) -> str:
    """As Scaleway writes it, e.g. cp_servers_type_L4_1_24G."""
    return "cp_servers_type_" + server_type.replace("-", "_")


def sold_in(zone: str) -> dict[str, ServerType]:
    """The types that can be rented in this zone, by name and in the order of their names."""
    return {rented.name: rented for rented in sorted((*_WITHOUT_GPU, *_SOLD.get(zone, ())), key=lambda one: one.name)}


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


def image_by_id(image_id: str, zone: str) -> BootImage | None:
    return next((image for image in IMAGES if image.id_in(zone) == image_id), None)


def find_image(wanted: str, zone: str, server_type: ServerType) -> BootImage | None:
    """The image with this id, or with this label and the right kind of volume for the type."""
    for image in IMAGES:
        if image.boots(server_type) and wanted in (image.id_in(zone), image.label):
            return image
    return None
