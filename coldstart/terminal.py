"""The terminal that commands print on: whatever text they are given only stands there.

Names, reasons and lines come from machines, clouds, registries and other users. None of them is markup, a link or an
emoji, and no control character of theirs reaches a terminal; colours are ours alone, by styles.
"""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from shared.plain_text import plain


class Terminal(Console):
    """Rich's console for text that is nobody's word; `settings` are the console's own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """All that is printed, drawn live or put into a table comes through here; cursor movements are Rich's own."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(plain(segment.text), segment.style)
