"""systemctl, for the two services that an install reloads or restarts."""

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
        case ["enable", str(unit)] if (machine.disk.root / "etc/systemd/system" / unit).is_file():
            machine.disk.contents.enabled_units.add(unit)
            machine.disk.save()
        case ["restart", "docker"]:
            machine.disk.contents.docker_runtimes = set(machine.disk.contents.configured_runtimes)
            machine.disk.save()
        case other:
            raise Refused(" ".join(other))
    return 0


def _job_failed(call: Call, service: str) -> int:
    call.err(f"Job for {service}.service failed because the control process exited with error code.")
    call.err(f'See "systemctl status {service}.service" and "journalctl -xeu {service}.service" for details.')
    return 1
