"""One look at an instance: which probes it sends, and which milestones their outcomes show. Pure."""

from typing import Final, TypeAlias, assert_never

from services.health.probes import ModelListed, OldWorker, Outcome, Passed, Probe, WarmedUp
from shared.lifecycle import events as e
from shared.lifecycle.instance import Instance
from shared.lifecycle.status import STARTING_UP, Status
from shared.lifecycle.transport import WorkerTls

Chain: TypeAlias = tuple[Probe, ...]
Milestone: TypeAlias = type[e.SshReachable | e.WorkerReachable | e.ModelLoaded | e.WarmupCompleted | e.HealthPassed]

_WHOLE_WORKER: Final = (Probe.HEALTH, Probe.MODELS, Probe.WARMUP)
_SERVING_WORKER: Final = (Probe.HEALTH, Probe.MODELS)
"""No warm-up: behind a full queue a token would come late, and the busiest worker would be taken for dead."""
_WORKER_AT_WORK: Final = (Probe.HEALTH,)
"""Its models change only with its process, so they are asked for less often."""


def chains(instance: Instance, *, models: bool = False, counts: bool = False) -> tuple[Chain, ...]:
    """The probes of one look. Chains run side by side; within a chain, each probe needs the previous one to pass.

    A ready worker is also asked for its models, or for what it runs and produces (`counts`), on the same connection.
    """
    if instance.ip_address is None:
        return ()
    if instance.specification.builds_image:
        return ((Probe.SSH,),) if instance.watched else ()
    match instance.status:
        case Status.BOOTING if not instance.reached(e.SshReachable):
            return ((Probe.SSH,), _WHOLE_WORKER)
        case Status.BOOTING | Status.INSTALLING | Status.STARTING | Status.UNAVAILABLE:
            return (_WHOLE_WORKER,)
        case Status.READY:
            running = (Probe.RUNNING,) if counts or instance.specification.idle_shutdown is not None else ()
            return ((*(_SERVING_WORKER if models else _WORKER_AT_WORK), *running),)
        case Status.DRAINING:
            return ((Probe.RUNNING,),)
        case (
            Status.PROVISIONING
            | Status.TERMINATING
            | Status.TERMINATED
            | Status.ARCHIVED
            | Status.PROVISIONING_FAILED
            | Status.STARTUP_FAILED
            | Status.FAILED
        ):
            return ()
        case _:
            assert_never(instance.status)


def spoken(instance: Instance, setting: WorkerTls) -> WorkerTls:
    """How its worker is talked to: as its install has recorded, and until then by the setting.

    So a machine that has just got its address, and may be somebody else's, is not sent a key in plain HTTP.
    """
    return instance.worker_tls if instance.reached(e.SshInstallStarted) else setting


def milestones(instance: Instance, probe: Probe, outcome: Outcome) -> tuple[Milestone, ...]:
    """The milestones that this outcome shows; `instance` is as known when the probe was sent."""
    if instance.status not in STARTING_UP:
        return ()
    match probe, outcome:
        case Probe.SSH, Passed():
            shown: tuple[Milestone, ...] = (e.SshReachable,)
        case Probe.MODELS, Passed():
            shown = (e.WorkerReachable, e.ModelLoaded)
        case Probe.MODELS, OldWorker():
            shown = ()
        case Probe.MODELS, _:
            shown = (e.WorkerReachable,)
        case Probe.WARMUP, Passed():
            shown = (e.WarmupCompleted, e.HealthPassed)
        case _:
            shown = ()
    return shown if probe is Probe.SSH or new_worker_may_run(instance) else ()


def learned(milestone: Milestone, outcome: Outcome) -> dict[str, int | str | None]:
    """The fields of the milestone's fact that only this outcome tells."""
    if milestone is e.ModelLoaded and isinstance(outcome, ModelListed):
        return {"max_model_len": outcome.max_model_len}
    if milestone is e.WarmupCompleted and isinstance(outcome, WarmedUp):
        return {"vllm_version": None if outcome.vllm_version is None else str(outcome.vllm_version)}
    return {}


def new_worker_may_run(instance: Instance) -> bool:
    """In later attempts, whatever answers before the install is over may be the previous attempt's worker."""
    return instance.attempt == 1 or instance.reached(e.SshInstallCompleted)
