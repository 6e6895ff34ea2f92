"""docker's images. Only tags that were published can be pulled."""

import asyncio
import hashlib
import json
from typing import Final

from simulator.host.standins.call import Call, Flags, Machine

_REPOSITORY: Final = "vllm/vllm-openai"
_TAGS: Final = ("v0.32.0", "v0.32.0-cu129", "v0.13.0", "v0.12.0", "v0.11.0", "latest")
_ENTRYPOINT: Final = ("vllm", "serve")
"""Of vLLM's images since 0.12."""
_LAYERS: Final = 8


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
    if tag not in _TAGS:
        call.err(f"Error response from daemon: manifest for {image} not found: manifest unknown: manifest unknown")
        return 1
    call.out(f"{tag}: Pulling from {repository}")
    known = image in machine.disk.contents.images
    if not known:
        await _pull_layers(call, image, machine.scenario.image_pull)
        machine.disk.contents.images.add(image)
        machine.disk.save()
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


def tagged(image: str) -> str:
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
