"""What the patterns of the API's texts mean, for people."""

from collections.abc import Mapping
from typing import Final

from shared.plain_text import VISIBLE

_ONE_LINE: Final = "has to be one line of visible characters"
FORMS: Final[Mapping[str, str]] = {
    r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$": "may have letters, digits, spaces, dots, dashes and underscores only, "
    "and has to begin with a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "may have letters, digits, dots, dashes and underscores only, "
    "and has to begin with a letter or digit",
    r"^[a-z0-9][a-z0-9-]*$": "may have lower-case letters, digits and dashes only, "
    "and has to begin with a letter or digit",
    r"^[a-z0-9][A-Za-z0-9._:/@-]*$": "is no name of an image; write it as in vllm/vllm-openai:v0.32.0",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$": "is no name of a branch, tag or commit; "
    "write it as in main or refs/pr/1",
    r"^[A-Za-z0-9*/,#?-]+( [A-Za-z0-9*/,#?-]+){4}$": "has to have the five fields of cron; "
    "write it as in 0 8 * * mon-fri",
    r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$": "is no name of a time zone; write it as in Europe/Paris",
    r"^https?://[!-~]+$": "is no address of a receiver; write it as in https://example.com/hook",
    r"^[A-Z][A-Za-z]*$": "is no type of an event; write it as in InstanceReady",
    r"^[^\x00-\x1f\x7f]+$": _ONE_LINE,
    r"^[^\x00-\x1f\x7f]*$": _ONE_LINE,
    VISIBLE: _ONE_LINE,
}
