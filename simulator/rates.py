"""How fast a real machine is: what a scenario's `rates` say. docs/cold-starts.md has the source of each figure."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

Megabytes = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Span = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Rates(BaseModel, frozen=True, extra="forbid"):
    """Rates in megabytes (10^6 bytes) per second, times in the model's seconds: `time_scale` of them pass in each one.

    All transfers of one machine share its network and its disk fairly. The defaults are those of an L40S-1-48G that
    loads a model of eight billion parameters.
    """

    time_scale: Annotated[float, Field(gt=0, le=1000)] = 1.0

    network: Megabytes = 312.5
    registry: Megabytes = 312.5
    """All layers together, on their way from the registry."""
    registry_connection: Megabytes = 312.5
    hub: Megabytes = 312.5
    """All files together, on their way from the model hub."""
    hub_connection: Megabytes = 66.0
    apt: Megabytes = 50.0
    sha256: Megabytes = 1500.0
    """Of a file, by one core."""
    disk_write: Megabytes = 1048.0
    disk_read: Megabytes = 1048.0

    image_layers: tuple[Annotated[float, Field(gt=0)], ...] = (0.3, 1.2, 2.0, 3.5, 5.0)
    """Gigabytes of each layer of the image as it is downloaded, in the order in which they are unpacked."""
    image_growth: Annotated[float, Field(ge=1)] = 2.4
    """How much larger a layer is once it is unpacked."""
    layers_at_once: Annotated[int, Field(ge=1)] = 3
    """Layers that Docker downloads side by side. It unpacks one after the other."""
    unpack: Megabytes = 150.0
    """Of unpacked bytes, by one core."""

    boot_seconds: Span = 20.0
    """From `running` to SSH."""
    driver_seconds: Span = 2.0
    """The first question to NVIDIA's driver after a boot."""
    apt_update_seconds: Span = 6.0
    docker_megabytes: Span = 95.0
    docker_setup_seconds: Span = 20.0
    """To unpack and start docker.io and what it depends on."""
    toolkit_megabytes: Span = 10.0
    toolkit_setup_seconds: Span = 5.0
    docker_restart_seconds: Span = 2.0

    container_seconds: Span = 3.0
    """From `docker run` to the container's first line."""
    engine_seconds: Span = 94.0
    """From there to the first byte of weights: imports, configuration, the engine's process."""
    load: Megabytes = 487.0
    """From the disk into the GPU."""
    compile_seconds: Span = 52.0
    compiled_seconds: Span = 6.0
    """To read what an earlier worker has compiled for the same image and arguments."""
    graph_seconds: Span = 54.0
    """Profiling, key-value cache and CUDA graphs."""

    @property
    def image_bytes(self) -> float:
        """What there is to download of the image."""
        return sum(self.image_layers) * 10**9

    @model_validator(mode="after")
    def _some_layer(self) -> Self:
        if not self.image_layers:
            raise ValueError("an image without layers cannot be pulled")
        return self
