"""The model of a real machine: how fast it is, and how long vLLM's own parts take. Pure.

docs/cold-starts.md has the source of each figure, under the same name.
"""

from dataclasses import dataclass
from typing import Final

from simulator.cloud.catalog import SERVER_TYPES
from simulator.hub.models import MODELS
from simulator.rates import Rates
from simulator.scenario import Scenario

CREATE_S: Final = 3.0
BOOT_VOLUME_S: Final = 1.0
VOLUME_UPDATE_S: Final = 2.5
POWER_ON_S: Final = 21.0
BOOT_S: Final = 20.0
"""Of Scaleway, as its API was recorded, and of one boot of its GPU image."""

IMAGE_LAYERS_GB: Final = (0.3, 1.2, 2.0, 3.5, 5.0)
IMAGE_GROWTH: Final = 2.4
UNPACK_MB_S: Final = 150.0

HUB_CONNECTION_MB_S: Final = 66.0

CONTAINER_S: Final = 3.0
ENGINE_S: Final = 94.0
LOAD_MB_S: Final = 487.0
MEASURED_LAYERS: Final = 32
"""Of the model (Llama 3.1 8B) whose compilation and graphs were measured."""
COMPILE_S: Final = 52.0
COMPILED_S: Final = 23.0
"""The same compilation where an earlier worker has left what it compiled."""
GRAPH_S: Final = 54.0
H100_COMPILE_S: Final = 19.4
H100_GRAPH_S: Final = 15.0

MODELS_BY_SIZE: Final = {
    "0.5B": "Qwen/Qwen2.5-0.5B-Instruct",
    "7B": "Qwen/Qwen2.5-7B-Instruct",
    "32B": "Qwen/Qwen2.5-32B-Instruct",
    "70B": "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
}
_TYPES: Final = {
    "L4": {"0.5B": "L4-1-24G", "7B": "L4-1-24G", "32B": "L4-4-24G", "70B": "L4-8-24G"},
    "L40S": {"0.5B": "L40S-1-48G", "7B": "L40S-1-48G", "32B": "L40S-2-48G", "70B": "L40S-4-48G"},
    "H100": {"0.5B": "H100-1-80G", "7B": "H100-1-80G", "32B": "H100-1-80G", "70B": "H100-2-80G"},
}
"""The smallest type with this GPU that holds the model in 16 bits, with room for 8,192 tokens of context."""


@dataclass(frozen=True)
class Cell:
    """One model on one GPU."""

    size: str
    gpu: str

    @property
    def model(self) -> str:
        return MODELS_BY_SIZE[self.size]

    @property
    def instance_type(self) -> str:
        return _TYPES[self.gpu][self.size]

    @property
    def files(self) -> tuple[int, ...]:
        """Bytes of each file of weights."""
        return tuple(size for path, size in MODELS[self.model].files().items() if path.endswith(".safetensors"))

    @property
    def weights(self) -> int:
        return sum(self.files)

    def __str__(self) -> str:
        return f"{self.size} on {self.gpu}"


CELLS: Final = tuple(Cell(size, gpu) for size in MODELS_BY_SIZE for gpu in _TYPES)


def rates_of(cell: Cell, time_scale: float = 1.0) -> Rates:
    """The machine's network and disk are its type's; compilation and graphs grow with the model's layers."""
    rented = SERVER_TYPES[cell.instance_type]
    network, disk = rented.bandwidth / 8 / 10**6, rented.block_bandwidth / 10**6
    layers = MODELS[cell.model].shape["num_hidden_layers"] / MEASURED_LAYERS
    compiling, graphs = (H100_COMPILE_S, H100_GRAPH_S) if cell.gpu == "H100" else (COMPILE_S, GRAPH_S)
    return Rates(
        time_scale=time_scale,
        network=network,
        registry=network,
        registry_connection=network,
        hub=network,
        hub_connection=HUB_CONNECTION_MB_S,
        disk_write=disk,
        disk_read=disk,
        image_layers=IMAGE_LAYERS_GB,
        image_growth=IMAGE_GROWTH,
        unpack=UNPACK_MB_S,
        boot_seconds=BOOT_S,
        container_seconds=CONTAINER_S,
        engine_seconds=ENGINE_S,
        load=LOAD_MB_S,
        compile_seconds=compiling * layers,
        compiled_seconds=compiling * layers * COMPILED_S / COMPILE_S,
        graph_seconds=graphs * layers,
    )


def scenario_of(cell: Cell, *, time_scale: float, seed: int) -> Scenario:
    """The cloud and the machine, in scaled time."""
    return cloud(time_scale).model_copy(update={"rates": rates_of(cell, time_scale), "seed": seed})


def cloud(time_scale: float) -> Scenario:
    """Its own delays, in scaled time."""
    return Scenario(
        create=CREATE_S / time_scale,
        boot_volume=BOOT_VOLUME_S / time_scale,
        volume_update=VOLUME_UPDATE_S / time_scale,
        poweron=POWER_ON_S / time_scale,
        # A machine image is in the list before its launch begins.
        tag_visible=0.0,
    )
