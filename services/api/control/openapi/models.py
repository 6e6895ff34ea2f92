"""The schemas of bodies, by pydantic: Litestar leaves out patterns, bounds and forbidden fields."""

from collections.abc import Iterable, Iterator
from typing import Any

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core import core_schema

_AT = "#/components/schemas/{model}"


class _Schemas(GenerateJsonSchema):
    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        """In an answer every field is present, even one with a default."""
        return self.mode == "serialization" or super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """A title would only repeat the field's name."""
        return False


def schemas(handlers: Iterable[HTTPRouteHandler], *others: type[BaseModel]) -> dict[str, dict[str, Any]]:
    """The schemas by name: of everything that these handlers accept and return, and of `others`."""
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = dict.fromkeys((one, "validation") for one in others)
    for handler in handlers:
        models |= dict.fromkeys(_of(handler))
    _, described = models_json_schema(list(models), ref_template=_AT, schema_generator=_Schemas)
    return dict(described["$defs"])


def _of(handler: HTTPRouteHandler) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    signature = handler.parsed_fn_signature
    if (body := signature.parameters.get("data")) is not None:
        yield body.annotation, "validation"
    given = signature.return_type
    if given.is_subclass_of(Response):
        given = given.inner_types[0]
    if given.is_subclass_of(BaseModel):
        yield given.annotation, "serialization"
