"""Past launches, from the projector's timeline."""

from shared.eta.launch import Launch
from shared.postgres.connection import Pool
from shared.postgres.statements import statement


class LaunchRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest(self, most: int) -> list[Launch]:
        """The newest attempts that became ready."""
        rows = await self._pool.fetch(statement("services.api.estimates", "past_launches"), most)
        return [Launch.model_validate(dict(row)) for row in rows]
