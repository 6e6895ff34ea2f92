"""nvidia-smi and nvidia-ctk of a machine with one L4."""

from typing import Final

from simulator.host.standins.call import Call, Machine, Refused

_NO_DRIVER: Final = 9


async def nvidia_smi(machine: Machine, call: Call) -> int:
    if list(call.arguments) == ["--query-gpu=compute_cap", "--format=csv,noheader"]:
        call.out("8.9")
        return 0
    if list(call.arguments) != ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]:
        raise Refused(" ".join(call.arguments))
    if machine.fault("preflight"):
        call.out("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
                 "Make sure that the latest NVIDIA driver is installed and running.")  # fmt: skip
        return _NO_DRIVER
    call.out(f"NVIDIA L4, 23034 MiB, {machine.scenario.driver}")
    return 0


async def nvidia_ctk(machine: Machine, call: Call) -> int:
    if list(call.arguments) != ["runtime", "configure", "--runtime=docker"]:
        raise Refused(" ".join(call.arguments))
    if machine.fault("nvidia_toolkit"):
        call.err("level=error msg=\"unable to load config for runtime docker: invalid character '}'\"")
        return 1
    machine.disk.contents.configured_runtimes.add("nvidia")
    machine.disk.save()
    call.err('level=info msg="Wrote updated config to /etc/docker/daemon.json"')
    call.err('level=info msg="It is recommended that docker daemon be restarted."')
    return 0
