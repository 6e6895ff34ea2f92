"""Reads bodies. One that is not in its declared format gets a problem document, whatever is wrong."""

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.exceptions import InternalServerException

from services.api.control.problems import client_left, malformed_json, unsupported_media_type

_MULTIPART: Final = "multipart/form-data"


def _number(written: str) -> float:
    """JSON has no separate integers: `2.0` is one (JSON Schema 2020-12, 4.2.3)."""
    number = float(written)
    return int(number) if number.is_integer() else number


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


class BodyRequest(Request[Any, Any, Any]):
    """Litestar's own request lets its parsers' unexpected errors through."""

    async def body(self) -> bytes:
        """Raises Problem."""
        try:
            return await super().body()
        except InternalServerException:
            raise client_left() from None

    async def json(self) -> Any:
        """Raises Problem."""
        try:
            return _DECODER.decode(await self.body())
        except UnicodeDecodeError:
            raise malformed_json("It is not written in UTF-8") from None
        except RecursionError:
            raise malformed_json("It is nested too deeply") from None
        except msgspec.DecodeError as error:
            raise malformed_json(str(error)) from None

    async def form(self) -> FormMultiDict:
        """Url-encoded only: nothing here uploads files, and multipart could contain anything. Raises Problem."""
        if self.content_type[0] == _MULTIPART:
            raise unsupported_media_type(_MULTIPART, "a form, as 'Content-Type: application/x-www-form-urlencoded'")
        return await super().form()
