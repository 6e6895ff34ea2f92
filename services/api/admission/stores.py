"""What admission asks of the stores: that the journal answers in time, and space for new work."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from services.api.admission.errors import NoSpaceLeft
from shared.journal.errors import JournalUnavailable
from shared.store_space import StoreSpace

_SPACE_AGAIN_S: Final = 60
_KEPT_FOR_ENDINGS: Final = "The rest is kept for ending instances. Make room; then launches are accepted again."


class Stores:
    """`patience_s`: how long the journal may take before the request is refused as unanswered."""

    def __init__(self, space: StoreSpace, *, patience_s: float) -> None:
        self._space = space
        self._patience_s = patience_s

    @asynccontextmanager
    async def patiently(self) -> AsyncGenerator[None]:
        """Raises JournalUnavailable, with a note about what may be the reason."""
        try:
            async with asyncio.timeout(self._patience_s):
                yield
        except TimeoutError as error:
            raise self._noted(JournalUnavailable(f"no answer within {self._patience_s} s")) from error
        except JournalUnavailable as error:
            self._noted(error)
            raise

    def check_space(self) -> None:
        """While there is a shortage, nothing new may begin. Raises NoSpaceLeft."""
        if shortage := self._space.shortage:
            raise NoSpaceLeft(f"{shortage} {_KEPT_FOR_ENDINGS}", retry_after_s=_SPACE_AGAIN_S)

    def _noted(self, error: JournalUnavailable) -> JournalUnavailable:
        if shortage := self._space.shortage:
            error.add_note(shortage)
        return error
