"""`/schemas/events/{event}` and `/asyncapi.yaml`: what events look like, for programs. Open, as `/schema` is."""

import asyncio
import json
from functools import cache
from typing import Final

from litestar import Response, get
from litestar.params import FromPath

from services.api.control.asyncapi.document import as_yaml
from services.api.control.authorization import OPEN
from services.api.control.problems import not_found
from shared.journal.data_schemas import KIND_OF, bundled

_JSON_SCHEMA: Final = "application/schema+json"
_YAML: Final = "application/yaml"
"""RFC 9512."""
_WRITING: Final = asyncio.Lock()


@get("/schemas/events/{event:str}", opt=OPEN, include_in_schema=False)
async def event_schema(event: FromPath[str]) -> Response[str]:
    """The JSON schema that `dataschema` of such an event names, with all that it refers to."""
    if event not in KIND_OF:
        raise not_found()
    return Response(_text(event), media_type=_JSON_SCHEMA)


@get("/asyncapi.yaml", opt=OPEN, include_in_schema=False)
async def asyncapi() -> Response[str]:
    """To write it takes part of a second, once in a process; other requests are answered meanwhile."""
    async with _WRITING:
        text = await asyncio.to_thread(as_yaml)
    return Response(text, media_type=_YAML)


@cache
def _text(event: str) -> str:
    return json.dumps(bundled(event), indent=1)


ROUTES: Final = (event_schema, asyncapi)
