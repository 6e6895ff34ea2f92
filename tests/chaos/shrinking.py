"""From a plan that breaks something to a short one that still does, by leaving out ever smaller parts of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def shrunk(
    plan: Sequence[T],
    breaks: Callable[[Sequence[T]], Awaitable[bool]],
    *,
    tries: int,
    found: Callable[[Sequence[T]], None] = lambda _: None,
) -> Sequence[T]:
    """The shortest plan that was seen to break something within so many tries. `found` gets each shorter one.

    A cluster does not break at every try: a part that was left out was not needed; one that stays may not be needed.
    """
    size = len(plan) // 2
    while size >= 1:
        for start in range(0, len(plan), size):
            rest = [*plan[:start], *plan[start + size :]]
            if tries == 0:
                return plan
            tries -= 1
            if await breaks(rest):
                plan, size = rest, min(size, max(len(rest) // 2, 1))
                found(plan)
                break
        else:
            size //= 2
    return plan
