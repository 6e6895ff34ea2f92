"""Runs work in steps without a pause."""

import time
from collections.abc import Generator
from typing import TypeVar

from services.api.router.members import Steps

T = TypeVar("T")


def finished(work: T | Steps[T]) -> T:
    """The result of the work, or the value itself if it is not work in steps."""
    return timed(work)[2] if isinstance(work, Generator) else work


def longest_step(work: T | Steps[T]) -> tuple[float, float, T]:
    """The processor time of the longest step and of all of them, and what came of it."""
    return timed(work) if isinstance(work, Generator) else (0.0, 0.0, work)


def timed(steps: Steps[T]) -> tuple[float, float, T]:
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
