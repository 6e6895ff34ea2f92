"""Puts one commit of a model into the mirror: its files, then the manifest, then the name of its branch or tag."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import assert_never

from coldstart.mirroring.copying import Copying, Stopped
from coldstart.mirroring.download import Download
from coldstart.mirroring.errors import NotMirrored
from coldstart.settings import MirrorSettings
from services.api.catalogue.hub.client import Found, Hub, HubUnreachable, RateLimited, TokenRefused
from services.api.catalogue.hub.connections import use_proxies_by_address
from services.api.catalogue.hub.contents import Contents, RevisionUnknown
from services.api.catalogue.hub.refusals import admitted
from services.api.catalogue.hub.search import in_words
from services.api.refusals import Refused
from services.provisioner.weights.hub import HubWeights
from services.provisioner.weights.source import WeightsList
from shared.weights_mirror.bucket import Bucket
from shared.weights_mirror.layout import MANIFEST, MirrorManifest, is_commit, manifest_key, ref_key
from shared.weights_mirror.settings import WeightsMirror

_TIMEOUT_S = 60.0
MAIN = "main"


@dataclass(frozen=True)
class Plan:
    """What is to be mirrored."""

    found: Found
    commit: str
    listed: WeightsList


async def planned(settings: MirrorSettings, model: str, revision: str | None) -> Plan:
    """Asks the hub. Raises NotMirrored."""
    use_proxies_by_address()
    hub = Hub(settings.hf_endpoint, settings.hf_token, _TIMEOUT_S)
    weights = HubWeights(settings.hf_endpoint, settings.hf_token, served_by=settings.hf_endpoint, timeout_s=_TIMEOUT_S)
    try:
        found = await _found(hub, model)
        commit = await _commit(hub, found.model, revision)
        listed = await weights.list(found.model, commit)
    finally:
        hub.close()
        weights.close()
    if listed is None:
        raise NotMirrored(f"The hub gives no list of the files of {found.model} that vLLM reads.")
    if any(file.path == MANIFEST for file in listed.files):
        raise NotMirrored(f"{found.model} has a file {MANIFEST} of its own, for which the mirror has no place.")
    return Plan(found, commit, listed)


async def _found(hub: Hub, model: str) -> Found:
    try:
        return admitted(model, await hub.look_up(model))
    except Refused as refused:
        raise NotMirrored(str(refused.detail)) from refused


async def _commit(hub: Hub, model: str, revision: str | None) -> str:
    match await hub.contents(model, revision):
        case Contents(commit=commit):
            return commit
        case RevisionUnknown():
            raise NotMirrored(f"{model} has no revision {revision} on the hub.")
        case (TokenRefused() | RateLimited() | HubUnreachable()) as failure:
            raise NotMirrored(in_words(failure))
        case other:
            assert_never(other)


def carried_out(
    plan: Plan, settings: MirrorSettings, mirror: WeightsMirror, revision: str | None, tell: Callable[[int], None]
) -> MirrorManifest:
    """`tell` as in Copying. Raises NotMirrored and MirrorFailed."""
    bucket = Bucket(mirror, timeout_s=_TIMEOUT_S, tries=5)
    bucket.check()
    stop = Event()

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    model = plan.found.model
    download = Download(settings.hf_token, pause)
    files = Copying(bucket, download, model, plan.commit, tell, stop).all(plan.listed.files)
    manifest = MirrorManifest(
        model=model,
        commit=plan.commit,
        files=files,
        whole=plan.listed.whole,
        task=plan.found.task,
        gated=plan.found.gated,
        parameters=plan.found.parameters,
    )
    bucket.write(manifest_key(model, plan.commit), manifest.model_dump_json(indent=1).encode())
    if not is_commit(revision or MAIN):
        bucket.write(ref_key(model, revision or MAIN), plan.commit.encode())
    return manifest
