"""What one try installs on an instance's machine: from its wish, its findings, the settings and the secrets."""

from typing import Final

from services.provisioner.action_context import ActionContext
from services.provisioner.install.script import InstallJob
from services.provisioner.weights.selection import read_from_files
from services.provisioner.weights.source import WeightsList
from shared.host_keys import ROTATED
from shared.lifecycle.instance import Instance
from shared.worker_arguments import worker_arguments

_MAIN: Final = "main"


async def job_of(context: ActionContext, instance: Instance) -> InstallJob:
    settings, secrets = context.settings, context.dependencies.secrets
    keeps_its_own = instance.resources.own_host_key is not None
    weights = await _weights(context, instance)
    return InstallJob(
        attempt=instance.attempt,
        attempt_try=instance.install.failures + 1,
        image=instance.specification.image or settings.image_for(instance.instance_type),
        model=instance.specification.model,
        revision=weights.commit if weights else instance.loaded_revision,
        task=instance.specification.task,
        weights_bytes=instance.findings.weights_bytes or 0,
        weights=weights,
        weights_parallel=settings.weights_parallel,
        weights_read_ahead=settings.weights_read_ahead,
        offline=weights is not None and weights.whole and not _may_need_the_hub(instance),
        vllm_args=worker_arguments(instance.specification, instance.findings, await _gpus(context, instance)),
        organization_id=instance.specification.organization_id,
        ours=context.provider.capabilities.volumes,
        scratch=instance.has_scratch,
        pull_seconds=settings.image_pull_seconds,
        warm_seconds=settings.warm_seconds,
        worker_port=settings.worker_port,
        api_key=secrets.worker_api_key(instance.id, instance.attempt),
        certificates=None
        if instance.worker_tls == "off"
        else secrets.worker_certificates(instance.id, instance.attempt),
        hub=settings.workers_hub,
        proxies=settings.machine_proxies,
        authorities=settings.machine_ca_file,
        registry=settings.registry,
        hf_token=settings.hf_token_for(instance.specification, instance.findings),
        host_key_private=None if keeps_its_own else secrets.host_key(instance.id, ROTATED).private,
        claimed_by=instance.id if keeps_its_own else None,
    )


async def _gpus(context: ActionContext, instance: Instance) -> int:
    """Of its type; 0 if they are not known."""
    offered = await context.dependencies.offers.if_known(context.provider.name)
    return next((kind.gpus for kind in offered if kind.name == instance.instance_type), 0)


async def _weights(context: ActionContext, instance: Instance) -> WeightsList | None:
    """What its machine is to fetch by itself; None: vLLM fetches the model."""
    if not context.settings.weights_by_host or not read_from_files(instance.specification.vllm_args):
        return None
    source, model = context.dependencies.weights, instance.specification.model
    commit = instance.findings.commit or await source.commit(model, instance.specification.revision or _MAIN)
    return None if commit is None else await source.list(model, commit)


def _may_need_the_hub(instance: Instance) -> bool:
    """Its model's code may be in another repository, or a full stop erases what its machine has fetched."""
    return instance.findings.trust_remote_code or instance.has_scratch
