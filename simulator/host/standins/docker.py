"""docker. The process of each container is a simulated worker."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from simulator.host.containers import new_id
from simulator.host.disk import Container
from simulator.host.standins.call import Call, Flags, Machine, Refused
from simulator.host.standins.docker_images import image_inspect, manifest, pull, tagged
from simulator.host.standins.docker_reports import info, inspect, logs, ps

_RUN_FAILED: Final = 125
_CACHE: Final = "/root/.cache/huggingface"
_KERNELS: Final = "/var/cache/coldstart"
_TLS: Final = "/etc/coldstart/tls"
_AUTHORITIES: Final = "/etc/coldstart/authorities.pem"


async def docker(machine: Machine, call: Call) -> int:  # noqa: C901, PLR0911 - a match over every subcommand is one idea
    match list(call.arguments):
        case ["info", "--format", template]:
            return info(machine, call, template)
        case ["image", "inspect", *rest]:
            return image_inspect(machine, call, rest)
        case ["manifest", "inspect", "--verbose", image]:
            return manifest(call, image)
        case ["pull", image] if not image.startswith("-"):
            return await pull(machine, call, image)
        case ["run", *rest]:
            return await _run(machine, call, rest)
        case ["rm", "--force", "--volumes", name] if not name.startswith("-"):
            return await _rm(machine, call, name)
        case ["container", "inspect", *rest] | ["inspect", *rest]:
            return inspect(machine, call, rest)
        case ["ps", *rest]:
            return ps(machine, call, rest)
        case ["logs", *rest]:
            return await logs(machine, call, rest)
        case other:
            raise Refused(" ".join(other))


async def _run(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker run")
    flags.add_argument("--detach", action="store_true", required=True)
    flags.add_argument("--name", required=True)
    flags.add_argument("--restart", choices=("no", "unless-stopped"), default="no")
    flags.add_argument("--gpus", choices=("all",), required=True)
    flags.add_argument("--shm-size", choices=("16g",))
    flags.add_argument("--publish")
    flags.add_argument("--volume", action="append", required=True)
    flags.add_argument("--log-opt", action="append", choices=("max-size=50m", "max-file=2"))
    flags.add_argument("--label", action="append", default=[])
    flags.add_argument("--env", action="append", default=[])
    flags.add_argument("image")
    flags.add_argument("arguments", nargs="...")
    given = flags.parse_args(rest)
    host_port, container_port = _published(given.publish)
    volumes = _volumes(machine, given.volume)
    if _CACHE not in volumes:
        raise Refused(f"--volume without {_CACHE}")
    problem = await _why_not(machine, call, given.name, given.image)
    if problem is not None:
        call.err(f"docker: {problem}\n\nRun 'docker run --help' for more information")
        return _RUN_FAILED
    container = Container(
        id=new_id(), name=given.name, image=tagged(given.image), arguments=tuple(given.arguments),
        environment=_environment(given.env, call.variables), host_port=host_port,
        container_port=container_port, restarts=given.restart == "unless-stopped", cache=volumes[_CACHE],
        kernels=volumes.get(_KERNELS), tls=volumes.get(_TLS), shared_memory=given.shm_size,
        labels=dict(label.split("=", 1) for label in given.label), created_at=time.time(),
    )  # fmt: skip
    machine.containers.run(container)
    call.out(container.id)
    return 0


def _published(ports: str | None) -> tuple[int | None, int | None]:
    """The machine's port and the container's; None if it has none of the machine's."""
    if ports is None:
        return None, None
    host_port, _, container_port = ports.partition(":")
    if not (host_port.isdecimal() and container_port.isdecimal()):
        raise Refused(f"--publish {ports}")
    return int(host_port), int(container_port)


def _volumes(machine: Machine, given: list[str]) -> dict[str, Path]:
    """The machine's folders by their paths in the container."""
    volumes = {}
    for volume in given:
        folder, _, inside = volume.partition(":")
        if inside not in (_CACHE, _KERNELS, f"{_TLS}:ro", f"{_AUTHORITIES}:ro") or not Path(folder).is_relative_to(
            machine.disk.root
        ):
            raise Refused(f"--volume {volume}")
        volumes[inside.removesuffix(":ro")] = Path(folder)
    return volumes


async def _why_not(machine: Machine, call: Call, name: str, image: str) -> str | None:
    contents = machine.disk.contents
    if tagged(image) not in contents.images:
        call.err(f"Unable to find image '{image}' locally")
        if await pull(machine, call, image) != 0:
            return "no such image"
    if name in contents.containers:
        return (
            f'Error response from daemon: Conflict. The container name "/{name}" is already in use by container '
            f'"{contents.containers[name].id}". You have to remove (or rename) that container to be able to reuse '
            "that name."
        )
    if "nvidia" not in contents.docker_runtimes or machine.fault("worker_start"):
        return 'Error response from daemon: could not select device driver "" with capabilities: [[gpu]].'
    return None


def _environment(named: list[str], variables: Mapping[str, str]) -> dict[str, str]:
    """`--env NAME=VALUE` sets a value. `--env NAME` passes on docker's own variable, if it is set."""
    given = dict(name.split("=", 1) for name in named if "=" in name)
    return given | {name: variables[name] for name in named if name in variables}


async def _rm(machine: Machine, call: Call, name: str) -> int:
    if name not in machine.disk.contents.containers:
        call.err(f"Error response from daemon: No such container: {name}")
        return 1
    await machine.containers.remove(name)
    call.out(name)
    return 0
