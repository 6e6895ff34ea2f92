"""The mirror where it has a model, else the hub."""

from dataclasses import dataclass

from services.provisioner.weights.source import WeightsList, WeightsSource


@dataclass(frozen=True)
class MirrorFirst:
    """Of a commit both have the same files. What a branch is now, the hub knows best: the mirror may be behind."""

    mirror: WeightsSource
    hub: WeightsSource

    async def list(self, model: str, commit: str) -> WeightsList | None:
        return await self.mirror.list(model, commit) or await self.hub.list(model, commit)

    async def commit(self, model: str, revision: str) -> str | None:
        return await self.hub.commit(model, revision) or await self.mirror.commit(model, revision)
