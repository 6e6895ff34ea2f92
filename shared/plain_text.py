"""Makes text of machines, clouds, registries and users safe to show: no character of it has an effect.

A terminal obeys control characters, and invisible or direction-changing characters deceive readers. So all text from
outside goes through here when it enters, and again when it is shown.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

LONGEST: Final = 2_000
"""The most characters of a message or reason, so that an event fits into a message of the stream."""
_UNSEEN: Final = r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Invisible characters, with line separators (U+2028) and direction overrides (U+202A, U+2066)."""
VISIBLE: Final = rf"^[^\x00-\x1f\x7f-\x9f{_UNSEEN}]+$"
"""A pattern for names that people choose; it works in Python, in OpenAPI and in the browser."""
UNSHOWABLE: Final = "\N{REPLACEMENT CHARACTER}"

_SEQUENCES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements (ECMA-48, 5.4)
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-Z\\^_`a-~]"
)
"""Whole escape sequences: without them, a coloured line is the plain line."""
_UNSHOWABLE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 except tab and line feed
    rf"{_UNSEEN}\U000e0000-\U000e0fff"
    r"\ud800-\udfff]"  # surrogates, which no encoding accepts
)


def plain(text: str) -> str:
    """`text` with its line feeds, but without any other character that has an effect instead of a shape."""
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text).replace("\r\n", "\n").replace("\t", " ")
    return _UNSHOWABLE.sub(UNSHOWABLE, text)


def plain_line(text: str) -> str:
    """Like `plain`, in one line."""
    return plain(text).replace("\n", " ")


def shortened(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


PlainText = Annotated[str, AfterValidator(plain), AfterValidator(shortened)]
"""A field for text from outside. It is made plain whenever it is set or read."""
