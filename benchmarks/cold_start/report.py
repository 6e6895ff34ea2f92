"""What the launches were like: the table, the critical path of one of them, and the goals. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.cold_start.figures import Cell, rates_of
from benchmarks.cold_start.floor import Floor
from benchmarks.cold_start.launches import Launched, Way

Table = Mapping[Cell, Mapping[Way, Launched]]
GOAL_CELL: Final = Cell("7B", "L40S")
MOST_OF_FLOOR: Final = 1.15
SLOWER: Final = 1.02
"""Chance makes two launches of the same kind differ by as much."""
_SHORT_S: Final = 0.5


@dataclass(frozen=True)
class Goal:
    """`held`: the product is responsible for it. How fast a way may be at most is up to the machine, too."""

    words: str
    seen: float
    most: float
    held: bool = True

    @property
    def reached(self) -> bool:
        return self.seen <= self.most

    def __str__(self) -> str:
        verdict = "reached" if self.reached else "MISSED"
        return f"{verdict:8} {self.words}: {self.seen:.2f} (at most {self.most:.2f})"


def goals(table: Table) -> list[Goal]:
    """Of the ways and cells that were launched."""
    found = []
    for cell, by_way in table.items():
        for way, launched in by_way.items():
            if way is Way.VLLM:
                continue
            if (today := by_way.get(way.base)) is not None:
                share, before = launched.seconds / today.seconds, "before" if way.base is Way.VLLM else way.base
                found.append(Goal(f"{cell}, {way}: not slower than {before}", share, SLOWER))
                if cell == GOAL_CELL:
                    found.append(Goal(f"{cell}, {way}: share of {before}", share, way.goal, held=False))
            of_floor = launched.seconds / way.floor(cell).seconds
            found.append(Goal(f"{cell}, {way}: share of the floor", of_floor, MOST_OF_FLOOR))
    return found


def rows(table: Table, ways: Sequence[Way]) -> list[str]:
    """The table in Markdown: seconds, the share of the first way or of its own base, and each way's floor."""
    heads = ["model", "GPU", "type", *(str(way) for way in ways)]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for cell, by_way in table.items():
        base = {way: by_way.get(way.base if way is Way.REINSTALL else ways[0]) for way in ways}
        cells = [_shown(by_way[way], base[way]) if way in by_way else "–" for way in ways]
        lines.append(_row([cell.size, cell.gpu, cell.instance_type, *cells]))
    return lines


def _shown(launched: Launched, first: Launched | None) -> str:
    floor = launched.way.floor(launched.cell).seconds
    share = f", {launched.seconds / first.seconds:.2f} ×" if first not in (None, launched) else ""
    return f"{launched.seconds:.0f} s{share} (floor {floor:.0f} s)"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def path(launched: Launched) -> list[str]:
    """Its steps that took any time; those that the next one did not wait for have the time that they had to spare."""
    lines = [f"{launched.cell}, {launched.way}: {launched.seconds:.0f} s"]
    for interval in launched.intervals:
        if interval["seconds"] < _SHORT_S:
            continue
        slack = "" if interval["critical"] else f"   {interval['slack_seconds']:.0f} s to spare"
        mark = "*" if interval["critical"] else " "
        lines.append(f"  {mark} {interval['label']:34}{interval['seconds']:7.1f} s{slack}")
    return lines


def of_vllm(cell: Cell, way: Way) -> str:
    """What the load consists of, by the model of the machine."""
    rates = rates_of(cell)
    parts = {
        "container": rates.container_seconds,
        "imports and engine": rates.engine_seconds,
        "weights into the GPU": cell.weights / 10**6 / min(rates.load, rates.disk_read),
        "compilation": rates.compiled_seconds if way.has_model else rates.compile_seconds,
        "graphs": rates.graph_seconds,
    }
    return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in parts.items())


def floor_in_words(cell: Cell, floor: Floor) -> str:
    """Where it comes from."""
    return (
        f"floor of {cell}: {floor.seconds:.0f} s = {floor.before:.0f} s until SSH + the longest of image "
        f"{floor.image:.0f} s, weights {floor.weights:.0f} s and network {floor.network:.0f} s + {floor.after:.0f} s "
        "of vLLM"
    )
