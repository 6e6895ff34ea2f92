"""The catalogue's models in the database; requests read them from the access cache."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from services.api.audit.entries import EntryType, NewEntry, Subject, note
from services.api.catalogue.catalogue import Model
from services.api.catalogue.hub.client import Found
from shared.actor import Actor
from shared.lifecycle.status import GONE
from shared.postgres.connection import Connection, Pool
from shared.postgres.keyset import Position
from shared.postgres.statements import only, statement


@dataclass(frozen=True)
class ModelUses:
    """The numbers of its deployments and of its instances that are neither terminated nor archived; its offerings."""

    model: str
    instances: int
    deployments: int
    offerings: tuple[str, ...]


class ModelRepository:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, *, after: Position | None, limit: int) -> list[Model]:
        """Newest first."""
        rows = await self._pool.fetch(_sql("page_of_models"), *(after or (None, None)), limit)
        return [Model.model_validate(dict(row)) for row in rows]

    async def add(
        self, found: Found | Model, trust_remote_code: bool | None = None, *, by: Actor | None = None
    ) -> Model:
        """The model in the catalogue, whoever added it, with its sizes if known. The trust stays as it is if None.

        `by`: who asked for that, if it was not for a launch or an offering, which have entries of their own.
        """
        values = (found.model, found.task, found.gated, found.parameters, found.weights_bytes, trust_remote_code)
        async with self._pool.acquire() as connection, connection.transaction():
            added = Model.model_validate(only(await connection.fetchrow(_sql("add_model"), uuid4(), *values)))
            if by is not None:
                details = {"task": added.task, "trust_remote_code": added.trust_remote_code}
                subject = Subject.of("model", added.id, added.model)
                await note(connection, NewEntry(EntryType.MODEL_ADDED, by, subject, details=details))
        return added

    async def measure(self, model: str, parameters: int, weights_bytes: int | None) -> Model | None:
        """Set these sizes if it has none; None if it is not in the catalogue any more."""
        row = await self._pool.fetchrow(_sql("measure_model"), model, parameters, weights_bytes)
        return Model.model_validate(dict(row)) if row else None

    async def remove(self, model_id: UUID, *, by: Actor) -> ModelUses | None:
        """Its uses, in which case it stays; None if there was no such model."""
        async with self._pool.acquire() as connection, connection.transaction():
            model = await connection.fetchval(_sql("lock_model"), model_id)
            if model is None:
                return None
            row = only(await connection.fetchrow(_sql("uses_of_model"), model_id, model, sorted(GONE)))
            uses = ModelUses(model, row["instances"], row["deployments"], tuple(row["offerings"] or ()))
            if not (uses.instances or uses.deployments or uses.offerings):
                await connection.execute(_sql("remove_model"), model_id)
                await note(connection, NewEntry(EntryType.MODEL_REMOVED, by, Subject.of("model", model_id, model)))
        return uses


async def all_models(connection: Connection) -> list[Model]:
    return [Model.model_validate(dict(row)) for row in await connection.fetch(_sql("all_models"))]


def _sql(name: str) -> str:
    return statement("services.api.catalogue", name)
