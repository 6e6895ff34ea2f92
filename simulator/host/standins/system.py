"""systemctl for the services that an install reloads or restarts and the units that it adds; sleep, without waiting."""

import asyncssh

from simulator.host.standins.call import Call, Machine, Refused


async def systemctl(machine: Machine, call: Call) -> int:
    match list(call.arguments):
        case ["reload", "ssh"]:
            if machine.fault("host_key"):
                return _job_failed(call, "ssh")
            try:
                machine.reload_ssh()
            except asyncssh.KeyImportError:
                return _job_failed(call, "ssh")
        case ["enable", "--now", "docker"]:
            if machine.fault("docker_install"):
                return _job_failed(call, "docker")
        case ["restart", "docker"]:
            await _restart_docker(machine)
        case [*asked, unit] if (machine.disk.root / "etc/systemd/system" / unit).is_file():
            _of_added_unit(machine, asked, unit)
        case (
            ["daemon-reload"]
            | ["stop", "docker.socket", "docker"]
            | ["stop", "apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades"]
            | ["stop", "syslog.socket", "rsyslog"]
            | ["restart", "systemd-journald"]
        ):
            pass
        case other:
            raise Refused(" ".join(other))
    return 0


async def sleep(machine: Machine, call: Call) -> int:
    [seconds] = call.arguments
    machine.skip(float(seconds))
    return 0


async def _restart_docker(machine: Machine) -> None:
    if machine.model is not None:
        await machine.model.sleep(machine.model.rates.docker_restart_seconds)
    machine.disk.contents.docker_runtimes = set(machine.disk.contents.configured_runtimes)
    machine.disk.save()


def _of_added_unit(machine: Machine, asked: list[str], unit: str) -> None:
    """A restart does nothing: the only such unit watches for `docker kill`, which is not simulated."""
    match asked:
        case ["enable"]:
            machine.disk.contents.enabled_units.add(unit)
        case ["disable", "--now"]:
            machine.disk.contents.enabled_units.discard(unit)
        case ["restart"]:
            pass
        case other:
            raise Refused(f"{' '.join(other)} {unit}")
    machine.disk.save()


def _job_failed(call: Call, service: str) -> int:
    call.err(f"Job for {service}.service failed because the control process exited with error code.")
    call.err(f'See "systemctl status {service}.service" and "journalctl -xeu {service}.service" for details.')
    return 1
