"""The starts side by side. Pure."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Final

from benchmarks.load_formats.environment import Load
from benchmarks.load_formats.start import Start

Rounds = Sequence[Mapping[str, Start]]
"""The starts of each round, by the way's name."""
_HEADS: Final = ("way", "load s", "× auto", "by vLLM s", "ready s", "× auto", "first token s", "processor s")


def rows(rounds: Rounds, names: Sequence[str]) -> list[str]:
    """A table in Markdown: medians of the rounds, and medians of each round's ratios to the first of these names.

    A ratio compares two starts that followed each other, so what else the machine did disturbs it less.
    """
    lines = [_row(_HEADS), _row(["---"] * len(_HEADS))]
    for name in names:
        if not (starts := [each[name] for each in rounds if name in each]):
            continue
        by_vllm = [start.weights_s for start in starts if start.weights_s is not None]
        lines.append(_row([
            name,
            f"{median(start.load_s for start in starts):.2f}",
            _ratio(rounds, name, names[0], lambda start: start.load_s),
            f"{median(by_vllm):.2f}" if by_vllm else "–",
            f"{median(start.ready_s for start in starts):.1f}",
            _ratio(rounds, name, names[0], lambda start: start.ready_s),
            f"{median(start.first_token_s for start in starts):.1f}",
            f"{median(start.cpu_s for start in starts):.1f}",
        ]))  # fmt: skip
    return lines


def load_rows(loads: Sequence[Load], megabytes: float) -> list[str]:
    """A table in Markdown: medians, and medians of each round's ratios to the first way's load of the same kind."""
    heads = ("way", "cold: s", "× auto", "MB/s", "warm: s", "× auto", "MB/s", "warm: processor s")
    lines = [_row(heads), _row(["---"] * len(heads))]
    by_kind: dict[tuple[str, bool], list[Load]] = {}
    for load in loads:
        by_kind.setdefault((load.way, load.cold), []).append(load)
    first = loads[0].way if loads else ""
    for name in dict.fromkeys(load.way for load in loads):
        cells = [name]
        for cold in (True, False):
            pairs = zip(by_kind.get((name, cold), ()), by_kind.get((first, cold), ()), strict=False)
            ratios = [one.seconds / other.seconds for one, other in pairs]
            seconds = median(load.seconds for load in by_kind[name, cold])
            cells += [f"{seconds:.2f}", f"{median(ratios):.2f}", f"{megabytes / seconds:,.0f}"]
        cells.append(f"{median(load.cpu_s for load in by_kind[name, False]):.2f}")
        lines.append(_row(cells))
    return lines


def _ratio(rounds: Rounds, name: str, first: str, of: Callable[[Start], float]) -> str:
    ratios = [of(each[name]) / of(each[first]) for each in rounds if {name, first} <= each.keys() and of(each[first])]
    return f"{median(ratios):.2f}" if ratios else "–"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
