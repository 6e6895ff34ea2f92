"""What the simulated cloud of `coldstart up` can be asked to do: take a real machine's time, and fail."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from simulator.rates import Rates
from simulator.scenario import Call, Error, Failure, FileError, FileFailure, HubError, Scenario

SMALL: Final = "Qwen/Qwen2.5-0.5B-Instruct"
_GATED: Final = "meta-llama/Llama-3.1-8B-Instruct"
_PACE: Final = 4.5
"""So many seconds of a real launch pass in each: one of `SMALL` then takes about two minutes."""
_TOKEN_S: Final = 0.02


class Name(StrEnum):
    """As `coldstart up --scenario` takes it."""

    INSTALL_FAILS = "install-fails"
    OUT_OF_STOCK = "out-of-stock"
    NO_QUOTA = "no-quota"
    GATED_MODEL = "gated-model"
    OUT_OF_MEMORY = "out-of-memory"
    WORKER_DIES = "worker-dies"
    BAD_NETWORK = "bad-network"
    HUB_AWAY = "hub-away"
    FLAKY_CLOUD = "flaky-cloud"


@dataclass(frozen=True)
class Played:
    """`about`: what happens. `model`: the one to launch. `anonymous`: the hub gets no token."""

    about: str
    scenario: Scenario = field(default_factory=Scenario)
    model: str = SMALL
    anonymous: bool = False


PLAYED: Final = {
    Name.INSTALL_FAILS: Played(
        "Docker's install fails once, and is tried again.",
        Scenario(install_fails_at="docker_install", install_fails_times=1),
    ),
    Name.OUT_OF_STOCK: Played(
        "L4-1-24G is sold out in fr-par-2: the launch goes on in another zone, or waits and says so.",
        Scenario(failures=(Failure(call=Call.CREATE_SERVER, error=Error.OUT_OF_STOCK, zone="fr-par-2", times=None),)),
    ),
    Name.NO_QUOTA: Played(
        "The account may have no GPU, as one whose identity is not verified.",
        Scenario(failures=(Failure(call=Call.CREATE_SERVER, error=Error.QUOTAS_EXCEEDED, quota=0, times=None),)),
    ),
    Name.GATED_MODEL: Played(
        "There is no token for the hub, and the model is gated: it is refused before anything is rented.",
        model=_GATED,
        anonymous=True,
    ),
    Name.OUT_OF_MEMORY: Played(
        "vLLM ends while it loads: the GPU has too little memory.",
        Scenario(worker_fails_with="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."),
    ),
    Name.WORKER_DIES: Played("vLLM ends a minute after it was ready.", Scenario(dies_after_ready=60.0)),
    Name.BAD_NETWORK: Played(
        "The fetch of the model's files is cut off three times, and goes on where it was.",
        Scenario(file_failures=(FileFailure(error=FileError.DROPPED, times=3),)),
    ),
    Name.HUB_AWAY: Played("The model hub does not answer.", Scenario(hub_error=HubError.INTERNAL)),
    Name.FLAKY_CLOUD: Played(
        "One call in twenty fails, and one machine in twenty.",
        Scenario(random_failures=0.05, machine_failures=0.05),
    ),
}


def played(name: Name | None, *, realistic: bool) -> Played | None:
    """None: the simulated cloud does what SIMULATOR_SCENARIO says, or nothing in particular."""
    chosen = PLAYED[name] if name else None
    if not realistic:
        return chosen
    chosen = chosen or Played("Everything goes well.")
    rates = {"rates": Rates(time_scale=_PACE), "token": _TOKEN_S}
    return replace(chosen, scenario=chosen.scenario.model_copy(update=rates))
