"""A source of models' files in memory."""

from dataclasses import dataclass, field

from services.provisioner.weights.source import WeightsList


@dataclass
class FakeWeights:
    """Has lists by model and commit, and commits by model and branch. It notes which lists were asked for."""

    lists: dict[tuple[str, str], WeightsList] = field(default_factory=dict)
    commits: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def list(self, model: str, commit: str) -> WeightsList | None:
        self.asked.append((model, commit))
        return self.lists.get((model, commit))

    async def commit(self, model: str, revision: str) -> str | None:
        return self.commits.get((model, revision))
