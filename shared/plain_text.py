"""Text of machines, clouds, registries and users, as it may be shown: no character of it does anything.

A terminal obeys control characters, and readers believe the order and the emptiness that others feign. So what enters
from outside goes through here, and what is shown does once more.
"""

import re
from typing import Annotated, Final

from pydantic import AfterValidator

LONGEST: Final = 2_000
"""Characters of a message or a reason, so that an event fits a message of the stream."""
_UNSEEN: Final = r"\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""What nobody sees, with line separators (U+2028) and overrides of the direction (U+202A, U+2066)."""
VISIBLE: Final = rf"^[^\x00-\x1f\x7f-\x9f{_UNSEEN}]+$"
"""A pattern for names that people choose: the same in Python, in OpenAPI and in the browser."""
UNSHOWABLE: Final = "\N{REPLACEMENT CHARACTER}"

_SEQUENCES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements (ECMA-48, 5.4)
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"  # titles, links, device strings
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-Z\\^_`a-~]"
)
"""Whole escape sequences: what is left of a coloured line without them is the line."""
_UNSHOWABLE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 but for tab and line feed
    rf"{_UNSEEN}\U000e0000-\U000e0fff"
    r"\ud800-\udfff]"  # halves of a character, which no encoding takes
)


def plain(text: str) -> str:
    """`text` with its line feeds, but without anything else that acts instead of being seen."""
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text).replace("\r\n", "\n").replace("\t", " ")
    return _UNSHOWABLE.sub(UNSHOWABLE, text)


def plain_line(text: str) -> str:
    """The same in one line."""
    return plain(text).replace("\n", " ")


def shortened(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


Told = Annotated[str, AfterValidator(plain), AfterValidator(shortened)]
"""A field for what somebody else said: whoever makes or reads it has it plain."""
