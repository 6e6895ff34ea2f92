"""The install script as bytes for `bash -s` on a machine, and what its exit status means."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import asyncssh

from services.provisioner.install.builds import (
    CUDA_12_9_DRIVER,
    CUDA_13_DRIVER,
    EARLIER_DRIVERS,
    for_older_drivers,
    is_for_cuda_12_9,
)
from services.provisioner.install.proxies import Proxies
from services.provisioner.install.registry import Registry
from services.provisioner.weights.source import WeightsList
from shared.offers.gpus import LEAST_COMPUTE_CAPABILITY
from shared.secrets import WorkerCertificates

_HERE: Final = Path(__file__).parent
ADDED: Final = "".join((_HERE / f"{name}.sh").read_text() for name in ("site", "watchdog"))
"""Shell functions by which install.sh adds something to the machine's systemd, and claim.sh removes it."""
_INSTALL: Final = "".join(
    (_HERE / f"{name}.sh").read_text()
    for name in (
        "waiting",
        "driver",
        "data_disk",
        "disk_space",
        "weights",
        "weights_download",
        "weights_ranges",
        "site",
        "registry",
        "watchdog",
        "warm",
        "seal",
        "install",
    )
)
ENDING: Final = (_HERE / "ending.sh").read_text()
"""Shell functions by which run.sh and claim.sh end a running install."""
_RUN: Final = ENDING + (_HERE / "run.sh").read_text()
COMMAND: Final = "bash -s"
"""The command to run over SSH. Its standard input is `stdin_of(job)`; close it afterwards."""

SUPERSEDED: Final = 90
"""Exit status: the machine has a newer attempt, or a later try of this one. Nothing was done."""
INTERRUPTED: Final = 91
"""Exit status: the install was killed, or the machine rebooted. The same try may run again."""
STILL_RUNNING: Final = 92
"""Exit status, also of claim.sh: a running install could not be ended, so nothing was done."""


def _declared_phases(script: str) -> tuple[str, ...]:
    declaration = re.search(r"^PHASES=\((.+)\)$", script, re.MULTILINE)
    if declaration is None:
        raise ValueError("install.sh declares no PHASES")
    return tuple(declaration[1].split())


PHASES: Final = _declared_phases(_INSTALL)
"""All phases, in the script's order."""
WARM: Final = "warm"
"""Where a machine image is made with a model, this phase comes after the weights."""
SEAL: Final = "seal"
"""The last phase instead, where a machine image is made."""


@dataclass(frozen=True, kw_only=True)
class InstallJob:
    """What one try of one attempt installs. A later try of the same attempt continues from what an earlier one left."""

    attempt: int
    attempt_try: int
    image: str
    model: str
    task: Literal["generate", "embed"]
    worker_port: int
    api_key: str = field(repr=False)
    certificates: WorkerCertificates | None = field(default=None, repr=False)
    """For mutual TLS. None: the worker speaks plain HTTP."""
    hf_token: str | None = field(default=None, repr=False)
    hub: str | None = None
    """The URL of a mirror of Hugging Face; None is Hugging Face itself."""
    proxies: Proxies = field(default_factory=Proxies)
    """Of the machine's site."""
    authorities: str | None = None
    """Certificates in PEM, of authorities that the site's servers and proxies need."""
    registry: Registry = field(default_factory=Registry)
    revision: str | None = None
    """The model's commit on the Hub, or a branch or tag; None is its default.

    By vLLM's own defaults its tokenizer and the code in its repository are of the same revision."""
    weights_bytes: int = 0
    """What there is to download of the model's weights, at least; 0 if that is not known."""
    weights: WeightsList | None = field(default=None, repr=False)
    """What the machine fetches by itself, of `revision`; None: vLLM fetches the model."""
    weights_parallel: int = 16
    """Over how many connections at once."""
    weights_read_ahead: bool = True
    """Files that are on its disk already are read into its memory while vLLM starts."""
    offline: bool = False
    """The worker reads the model without asking a hub for anything else."""
    vllm_args: tuple[str, ...] = ()
    organization_id: UUID | None = None
    """Models are kept in this organisation's folder; None: in the folder of shared instances."""
    warm_seconds: int = 900
    """How long the model of a machine image may take until it serves."""
    pull_seconds: int = 900
    """Time limit for pulling the image. The next try reuses the layers that are complete."""
    ours: bool = False
    """The machine was rented for this instance: a blank disk may be formatted, and Docker restarted."""
    scratch: bool = False
    """Its data disk is erased by each full stop of the machine, so it may be formatted again at each boot."""
    host_key_private: str | None = field(default=None, repr=False)
    """The machine's new host key, Ed25519 in OpenSSH's format; None: the machine keeps its key."""

    seals: bool = False
    """A machine image is made of this machine: no worker is started, and nothing of the machine stays on its disk."""

    claimed_by: UUID | None = None
    """On a machine that serves instances in turn: the install runs only while the claim names this instance."""

    @property
    def phases(self) -> tuple[str, ...]:
        """Those that it goes through."""
        if not self.seals:
            return PHASES
        return (*PHASES[:-1], WARM, SEAL) if self.model else (*PHASES[:-1], SEAL)

    @property
    def images(self) -> tuple[str, ...]:
        """Those that the machine may choose from, by its driver."""
        older = for_older_drivers(self.image)
        return (self.image,) if older is None else (self.image, older)

    def __post_init__(self) -> None:
        if self.attempt < 1 or self.attempt_try < 1:
            raise ValueError("attempts and tries count from 1")


def stdin_of(job: InstallJob) -> bytes:
    """Everything that `bash -s` reads. The secrets are only here, never on a command line or in an environment of ours.

    Raises asyncssh.KeyImportError for an invalid host key.
    """
    host_key = job.host_key_private or ""
    variables = {
        "ATTEMPT": str(job.attempt),
        "IMAGE": job.image,
        "IMAGE_FOR_OLDER_DRIVERS": "".join(job.images[1:]),
        "CUDA_13_DRIVER": str(CUDA_13_DRIVER),
        "CUDA_12_9_IMAGES": " ".join(image for image in job.images if is_for_cuda_12_9(image)),
        "CUDA_12_9_DRIVER": str(CUDA_12_9_DRIVER),
        "EARLIER_DRIVERS": " ".join(map(str, EARLIER_DRIVERS)),
        "LEAST_CAPABILITY": str(LEAST_COMPUTE_CAPABILITY),
        "MODEL": job.model,
        "REVISION": job.revision or "",
        "TASK": job.task,
        "WEIGHTS_BYTES": str(job.weights_bytes),
        "WEIGHTS": _listed(job.weights),
        "WEIGHTS_PARALLEL": str(job.weights_parallel),
        "WEIGHTS_READ_AHEAD": "yes" if job.weights_read_ahead else "",
        "WEIGHTS_OFFLINE": "yes" if job.offline and job.weights else "",
        "CACHE": f"organizations/{job.organization_id}" if job.organization_id else "shared",
        "OURS": "yes" if job.ours else "",
        "SCRATCH": "yes" if job.scratch else "",
        "SEALS": "yes" if job.seals else "",
        "PULL_SECONDS": str(job.pull_seconds),
        "WARM_SECONDS": str(job.warm_seconds),
        "WORKER_PORT": str(job.worker_port),
        "API_KEY": job.api_key,
        **_tls(job.certificates),
        "HF_TOKEN": job.hf_token or "",
        "HUB": job.hub or "",
        **{f"SITE_{name}": value for name, value in job.proxies.variables().items()},
        "SITE_AUTHORITIES": job.authorities or "",
        **job.registry.variables(),
        "HOST_KEY_PRIVATE": host_key.rstrip("\n"),
        "HOST_KEY_PUBLIC": _public_half(host_key) if host_key else "",
    }
    arguments = " ".join(shlex.quote(argument) for argument in job.vllm_args)
    outer = {
        "COLDSTART_ATTEMPT": str(job.attempt),
        "COLDSTART_TRY": str(job.attempt_try),
        "COLDSTART_STATE": "/run/coldstart" if job.seals else "/var/lib/coldstart",
        "COLDSTART_CLAIMED_BY": str(job.claimed_by or ""),
        "COLDSTART_JOB": f"{_assignments(variables)}VLLM_ARGS=({arguments})\n",
        "COLDSTART_INSTALL": _INSTALL,
    }
    return f"{_assignments(outer)}{_RUN}".encode()


def _tls(certificates: WorkerCertificates | None) -> Mapping[str, str]:
    """The worker's own key and certificate, and the certificate of its only clients. Their key stays here."""
    if certificates is None:
        return {"TLS_KEY": "", "TLS_CERTIFICATE": "", "TLS_CLIENTS": ""}
    worker, client = certificates.worker, certificates.client
    return {
        "TLS_KEY": worker.private_key,
        "TLS_CERTIFICATE": worker.certificate,
        "TLS_CLIENTS": client.certificate,
    }


def _listed(weights: WeightsList | None) -> str:
    """A line for each file. Its path is the last field, since it may hold spaces."""
    files = weights.files if weights else ()
    return "\n".join(
        f"{file.bytes}\t{file.blob}\t{'yes' if file.with_token else 'no'}\t{file.url}\t{file.path}" for file in files
    )


def _assignments(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def _public_half(private_key: str) -> str:
    return asyncssh.import_private_key(private_key).export_public_key().decode().strip()
