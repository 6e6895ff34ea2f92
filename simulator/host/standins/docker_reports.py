"""What docker reports about itself and its containers: info, inspect, ps and logs."""

import asyncio
import json
from pathlib import Path
from typing import Final

from simulator.host.standins.call import Call, Flags, Machine, Refused

_VERSION: Final = "28.2.2"
_FOLLOW_SECONDS: Final = 0.1


def info(machine: Machine, call: Call, template: str) -> int:
    runtimes = {"runc", "io.containerd.runc.v2", *machine.disk.contents.docker_runtimes}
    match template:
        case "{{.ServerVersion}}":
            call.out(_VERSION)
        case "{{json .Runtimes}}":
            call.out(json.dumps({name: {"path": name} for name in sorted(runtimes)}))
        case other:
            raise Refused(f"the template {other}")
    return 0


def inspect(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker inspect")
    flags.add_argument("--format")
    flags.add_argument("name")
    given = flags.parse_args(rest)
    name: str = given.name
    container = machine.disk.contents.containers.get(name)
    if container is None:
        call.out("[]")
        call.err(f"Error response from daemon: No such container: {name}")
        return 1
    status = "running" if container.running else "exited"
    match given.format:
        case None:
            call.out(json.dumps([{
                "Id": container.id, "Name": f"/{name}", "RestartCount": container.restart_count,
                "State": {"Status": status, "Running": container.running, "ExitCode": container.exit_code},
                "Config": {"Image": container.image, "Labels": container.labels},
            }]))  # fmt: skip
        case "{{.State.Status}}":
            call.out(status)
        case "{{.State.Running}}":
            call.out(json.dumps(container.running))
        case "{{.State.ExitCode}}":
            call.out(str(container.exit_code))
        case "{{.RestartCount}}":
            call.out(str(container.restart_count))
        case other:
            raise Refused(f"the template {other}")
    return 0


def ps(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker ps")
    flags.add_argument("--all", action="store_true")
    flags.add_argument("--format", choices=("{{.Names}}",), required=True)
    given = flags.parse_args(rest)
    for container in machine.disk.contents.containers.values():
        if container.running or given.all:
            call.out(container.name)
    return 0


async def logs(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker logs")
    flags.add_argument("--follow", "-f", action="store_true")
    flags.add_argument("--tail", type=int)
    flags.add_argument("name")
    given = flags.parse_args(rest)
    container = machine.disk.contents.containers.get(given.name)
    if container is None:
        call.err(f"Error response from daemon: No such container: {given.name}")
        return 1
    log = machine.disk.log_of(container)
    written = _whole_lines(log, 0)
    # A carriage return ends no line. So a progress bar is one line, which docker shows once it has ended.
    lines = written.decode().split("\n")[:-1]
    for line in lines if given.tail is None else lines[max(0, len(lines) - given.tail) :]:
        call.out(line)
    position = len(written)
    while given.follow and machine.disk.contents.containers.get(given.name) is container:
        await asyncio.sleep(_FOLLOW_SECONDS)
        written = _whole_lines(log, position)
        if written:
            call.out(written.decode().removesuffix("\n"))
        position += len(written)
    return 0


def _whole_lines(log: Path, position: int) -> bytes:
    """The whole lines after `position`."""
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(position)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]
