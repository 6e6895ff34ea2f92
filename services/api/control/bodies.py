"""How bodies are read: what is not written as its sender says that it is gets a problem document, whatever is wrong."""

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.exceptions import InternalServerException

from services.api.control.problems import client_left, malformed_json, unsupported_media_type

_MULTIPART: Final = "multipart/form-data"


def _number(written: str) -> float:
    """JSON knows no whole numbers of their own: `2.0` is one (JSON Schema 2020-12, 4.2.3)."""
    number = float(written)
    return int(number) if number.is_integer() else number


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


class BodyRequest(Request[Any, Any, Any]):
    """Litestar's own lets pass what its parsers raise besides their own errors."""

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
        """Url-encoded: nothing here uploads files, and what multipart parts hold may be anything. Raises Problem."""
        if self.content_type[0] == _MULTIPART:
            raise unsupported_media_type(_MULTIPART, "a form, as 'Content-Type: application/x-www-form-urlencoded'")
        return await super().form()
