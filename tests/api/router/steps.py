"""Work in steps, done at once by a test."""

import time
from typing import TypeVar

from services.api.router.members import Steps

T = TypeVar("T")


def finished(steps: Steps[T]) -> T:
    return longest_step(steps)[2]


def longest_step(steps: Steps[T]) -> tuple[float, float, T]:
    """The processor time of the longest step and of all of them, and what came of it."""
    longest_s = whole_s = 0.0
    while True:
        began = time.thread_time()
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            took_s = time.thread_time() - began
            return max(longest_s, took_s), whole_s + took_s, result
        took_s = time.thread_time() - began
        longest_s, whole_s = max(longest_s, took_s), whole_s + took_s
