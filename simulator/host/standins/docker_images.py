"""docker's images. Only tags that were published can be pulled."""

import asyncio
import hashlib
import json
from typing import Final

from simulator.host.model import DISK_WRITE, NETWORK, REGISTRY, MachineModel
from simulator.host.network_requests import AskedOf
from simulator.host.standins.call import Call, Flags, Machine

_REPOSITORY: Final = "vllm/vllm-openai"
_FOR_CUDA_12: Final = (
    "0.11.0 0.12.0 0.13.0 0.14.0 0.14.1 0.15.0 0.15.1 0.16.0 0.17.0 0.17.1 0.18.0 0.18.1 0.19.0 0.19.1"
)
_FOR_CUDA_13: Final = (
    "0.20.0 0.20.1 0.20.2 0.21.0 0.22.0 0.22.1 0.23.0 0.24.0 0.25.0 0.25.1 0.26.0 0.27.0 0.27.1 0.28.0 0.29.0 0.30.0 "
    "0.31.0 0.32.0"
)
TAGS: Final = frozenset(
    {"latest"}
    | {f"v{version}" for version in f"{_FOR_CUDA_12} {_FOR_CUDA_13}".split()}
    | {f"v{version}-cu129" for version in _FOR_CUDA_13.split()}
)
"""The versions that PyPI has; from 0.20 on there is a second build of each, for CUDA 12.9."""
_ENTRYPOINT: Final = ("vllm", "serve")
"""Of vLLM's images since 0.12."""
_LAYERS: Final = 8
_LAYER_BYTES: Final = 1_200_000_000


def image_inspect(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker image inspect")
    flags.add_argument("--format", choices=("{{json .Config.Entrypoint}}",))
    flags.add_argument("image")
    given = flags.parse_args(rest)
    image = tagged(given.image)
    if image not in machine.disk.contents.images or machine.fails_at("image_pull"):
        call.out("[]")
        call.err(f"Error response from daemon: No such image: {given.image}")
        return 1
    whole = [{"Id": f"sha256:{_digest(image)}", "RepoTags": [image], "Config": {"Entrypoint": _ENTRYPOINT}}]
    call.out(json.dumps(_ENTRYPOINT if given.format else whole))
    return 0


def manifest(call: Call, image: str) -> int:
    """As docker prints an image that there is for two architectures."""
    image = tagged(image)
    if image.removeprefix(f"{_REPOSITORY}:") not in TAGS:
        call.err(f"no such manifest: docker.io/{image}")
        return 1
    described = [
        {
            "Ref": f"docker.io/{image}@sha256:{_digest(f'{image} {architecture}')}",
            "Descriptor": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "size": 1609,
                "platform": {"architecture": architecture, "os": "linux"},
            },
            "OCIManifest": {"layers": [{"size": _LAYER_BYTES} for _ in range(_LAYERS)]},
        }
        for architecture in ("amd64", "arm64")
    ]
    call.out(json.dumps(described, indent="\t"))
    return 0


async def pull(machine: Machine, call: Call, image: str) -> int:
    image = tagged(image)
    repository, tag = image.rsplit(":", 1)
    if machine.fault("image_pull"):
        call.err('Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout')
        return 1
    if repository != _REPOSITORY:
        call.err(f"Error response from daemon: pull access denied for {repository}, repository does not exist or may "
                 "require 'docker login': denied: requested access to the resource is denied")  # fmt: skip
        return 1
    if tag not in TAGS:
        call.err(f"Error response from daemon: manifest for {image} not found: manifest unknown: manifest unknown")
        return 1
    call.out(f"{tag}: Pulling from {repository}")
    known, size = image in machine.disk.contents.images, 0.0
    if not known:
        if machine.model is None:
            await _pull_layers(call, image, machine.scenario.image_pull)
        else:
            await pull_at_rates(call, image, machine.model)
        size = machine.model.rates.image_bytes if machine.model else _LAYERS * _LAYER_BYTES
        machine.disk.contents.images.add(image)
        machine.disk.save()
    machine.disk.network_requests.note(AskedOf.REGISTRY, image, size)
    call.out(f"Digest: sha256:{_digest(image)}")
    call.out(f"Status: {'Image is up to date' if known else 'Downloaded newer image'} for {image}")
    call.out(f"docker.io/{image}")
    return 0


async def _pull_layers(call: Call, image: str, seconds: float) -> None:
    layers = [_digest(f"{image}/{number}")[:12] for number in range(_LAYERS)]
    for layer in layers:
        call.out(f"{layer}: Pulling fs layer")
    for layer in layers:
        await asyncio.sleep(seconds / len(layers))
        call.out(f"{layer}: Verifying Checksum\n{layer}: Download complete\n{layer}: Pull complete")


async def pull_at_rates(call: Call, image: str, model: MachineModel) -> None:
    """Layers come some at a time, and are unpacked one after the other, each as soon as those before it are."""
    rates = model.rates
    sizes = [gigabytes * 10**9 for gigabytes in rates.image_layers]
    layers = [_digest(f"{image}/{number}")[:12] for number in range(len(sizes))]
    here = [asyncio.Event() for _ in sizes]
    some_at_a_time = asyncio.Semaphore(rates.layers_at_once)

    async def download(number: int) -> None:
        async with some_at_a_time:
            await model.move(sizes[number], {NETWORK, REGISTRY, DISK_WRITE}, rates.registry_connection)
        call.out(f"{layers[number]}: Verifying Checksum\n{layers[number]}: Download complete")
        here[number].set()

    for layer in layers:
        call.out(f"{layer}: Pulling fs layer")
    async with asyncio.TaskGroup() as downloads:
        for number in range(len(sizes)):
            downloads.create_task(download(number), name=f"layer-{number}")
        for number, size in enumerate(sizes):
            await here[number].wait()
            await model.move(size * rates.image_growth, {DISK_WRITE}, rates.unpack)
            call.out(f"{layers[number]}: Pull complete")


def tagged(image: str) -> str:
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
