"""nvidia-smi and nvidia-ctk of a machine with the GPUs of its type.

Names and memory of L4, L40S, H100 and the GeForce are those that NVIDIA's driver tells; P100 and B300 are guesses.
"""

from typing import Final

from simulator.host.standins.call import Call, Machine, Refused

_NO_DRIVER: Final = 9
_TOLD: Final = {
    "P100": ("Tesla P100-PCIE-16GB, 16384 MiB", "6.0"),
    "L4": ("NVIDIA L4, 23034 MiB", "8.9"),
    "L40S": ("NVIDIA L40S, 46068 MiB", "8.9"),
    "RTX-4090": ("NVIDIA GeForce RTX 4090, 24564 MiB", "8.9"),
    "H100-PCIe": ("NVIDIA H100 PCIe, 81559 MiB", "9.0"),
    "H100-SXM": ("NVIDIA H100 80GB HBM3, 81559 MiB", "9.0"),
    "B300-SXM": ("NVIDIA B300 SXM6 AC, 275040 MiB", "10.3"),
}
"""By Scaleway's name of the GPU (ours for a GeForce): what the driver says of it, and its compute capability."""


async def nvidia_smi(machine: Machine, call: Call) -> int:
    memory, capability = _TOLD[machine.hardware.gpu]
    if machine.model is not None:
        await machine.model.driver()
    if list(call.arguments) == ["--query-gpu=compute_cap", "--format=csv,noheader"]:
        for _ in range(machine.hardware.gpus):
            call.out(capability)
        return 0
    if list(call.arguments) == ["--query-gpu=name,memory.used,memory.total,driver_version", "--format=csv,noheader"]:
        name, _, total = memory.partition(", ")
        for _ in range(machine.hardware.gpus):
            call.out(f"{name}, 0 MiB, {total}, {machine.scenario.driver}")
        return 0
    if list(call.arguments) != ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]:
        raise Refused(" ".join(call.arguments))
    if machine.fault("preflight"):
        call.out("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
                 "Make sure that the latest NVIDIA driver is installed and running.")  # fmt: skip
        return _NO_DRIVER
    for _ in range(machine.hardware.gpus):
        call.out(f"{memory}, {machine.scenario.driver}")
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
