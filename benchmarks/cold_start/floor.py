"""The least time that a launch can take on a machine: the longest of its transfers, and what cannot overlap. Pure."""

from dataclasses import dataclass
from typing import Final

from benchmarks.cold_start.figures import BOOT_VOLUME_S, CREATE_S, POWER_ON_S, VOLUME_UPDATE_S, Cell, rates_of
from simulator.rates import Rates

_MEGABYTE: Final = 10**6
PARALLEL: Final = 16
"""Connections over which weights are fetched at the same time."""


@dataclass(frozen=True)
class Floor:
    """In seconds. `before` ends with SSH; `image` and `weights` run side by side, over the same `network`."""

    before: float
    image: float
    weights: float
    network: float
    after: float

    @property
    def seconds(self) -> float:
        return self.before + max(self.image, self.weights, self.network) + self.after

    @property
    def bound_by(self) -> str:
        """The longest of what may overlap."""
        longest = max(self.image, self.weights, self.network)
        return next(name for name in ("image", "weights", "network") if getattr(self, name) == longest)


def floor(cell: Cell, *, image: bool = True, weights: bool = True, compiled: bool = False) -> Floor:
    """Of a machine on which the image, or the weights, are not yet; or is what vLLM has `compiled` before.

    vLLM's imports count as what cannot overlap with the weights, although they might.
    """
    rates = rates_of(cell)
    before = CREATE_S + BOOT_VOLUME_S + VOLUME_UPDATE_S + POWER_ON_S + rates.boot_seconds + rates.driver_seconds
    bytes_of_image = rates.image_bytes if image else 0.0
    bytes_of_weights = cell.weights if weights else 0
    bytes_of_packages = (rates.docker_megabytes + rates.toolkit_megabytes) * _MEGABYTE if image else 0.0
    load = cell.weights / _MEGABYTE / min(rates.load, rates.disk_read)
    compiling = rates.compiled_seconds if compiled else rates.compile_seconds
    return Floor(
        before=before,
        image=_image(rates) if image else 0.0,
        weights=_fetch(rates, cell) if weights else 0.0,
        network=(bytes_of_image + bytes_of_weights + bytes_of_packages) / _MEGABYTE / rates.network,
        after=rates.container_seconds + rates.engine_seconds + load + compiling + rates.graph_seconds,
    )


def packages(rates: Rates) -> float:
    """Docker and NVIDIA's toolkit, before the image can be pulled."""
    return (
        2 * rates.apt_update_seconds
        + (rates.docker_megabytes + rates.toolkit_megabytes) / min(rates.apt, rates.network)
        + rates.docker_setup_seconds
        + rates.toolkit_setup_seconds
        + rates.docker_restart_seconds
    )


def _image(rates: Rates) -> float:
    """Packages, then the slower of download and unpacking."""
    downloaded = rates.image_bytes / _MEGABYTE
    unpacked = downloaded * rates.image_growth / min(rates.unpack, rates.disk_write)
    return packages(rates) + max(downloaded / min(rates.registry, rates.network), unpacked)


def _fetch(rates: Rates, cell: Cell) -> float:
    """As fast as so many connections are: a large file comes over several."""
    together = min(rates.hub, rates.network, rates.disk_write, PARALLEL * rates.hub_connection)
    return cell.weights / _MEGABYTE / together
