"""What docker reports about itself and its containers: info, inspect, ps and logs."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from simulator.host.disk import Container
from simulator.host.standins.call import Call, Flags, Machine, Refused

_VERSION: Final = "28.2.2"
_FOLLOW_SECONDS: Final = 0.1


def info(machine: Machine, call: Call, template: str) -> int:
    runtimes = {"runc", "io.containerd.runc.v2", *machine.disk.contents.docker_runtimes}
    match template:
        case "{{.ServerVersion}}":
            call.out(_VERSION)
        case "{{.DockerRootDir}}":
            data = Path("/srv/docker")  # moved, as on machines whose system disk is small
            (machine.disk.root / data.relative_to("/")).mkdir(parents=True, exist_ok=True)
            call.out(str(data))
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
    status = _status(container)
    match given.format:
        case None:
            call.out(json.dumps([{
                "Id": container.id, "Name": f"/{name}", "RestartCount": container.restart_count,
                "State": {
                    "Status": status, "Running": status != "exited", "ExitCode": container.exit_code,
                    "StartedAt": _moment(container.started_at), "FinishedAt": _moment(container.finished_at),
                },
                "Config": {"Image": container.image, "Labels": container.labels},
            }]))  # fmt: skip
        case "{{.State.Status}}":
            call.out(status)
        case "{{.State.Running}}":
            call.out(json.dumps(status != "exited"))
        case "{{.State.ExitCode}}":
            call.out(str(container.exit_code))
        case "{{.State.Status}} {{.State.ExitCode}} {{.State.StartedAt}} {{.State.FinishedAt}}":
            moments = f"{_moment(container.started_at)} {_moment(container.finished_at)}"
            call.out(f"{status} {container.exit_code} {moments}")
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
        if given.all or _status(container) != "exited":
            call.out(container.name)
    return 0


async def logs(machine: Machine, call: Call, rest: list[str]) -> int:
    flags = Flags("docker logs")
    flags.add_argument("--follow", "-f", action="store_true")
    flags.add_argument("--tail", type=int)
    flags.add_argument("--timestamps", action="store_true")
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
    if given.timestamps:
        before = written[: container.printed_before].count(b"\n")
        times = [_moment(container.finished_at if at < before else container.started_at) for at in range(len(lines))]
        lines = [f"{time} {line}" for time, line in zip(times, lines, strict=True)]
    for line in lines if given.tail is None else lines[max(0, len(lines) - given.tail) :]:
        call.out(line)
    position = len(written)
    run = container.started_at
    following = given.follow
    while following:
        await asyncio.sleep(_FOLLOW_SECONDS)
        # Docker ends the stream with the process, even if it starts that again.
        same = machine.disk.contents.containers.get(given.name) is container and container.started_at == run
        following = same and container.running
        written = _whole_lines(log, position)
        if written:
            call.out(written.decode().removesuffix("\n"))
        position += len(written)
    return 0


def _status(container: Container) -> str:
    if container.running:
        return "running"
    return "restarting" if container.restarts else "exited"


def _moment(at: float | None) -> str:
    """As Docker writes it: year 1 if it never was."""
    return "0001-01-01T00:00:00Z" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _whole_lines(log: Path, position: int) -> bytes:
    """The whole lines after `position`."""
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(position)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]
