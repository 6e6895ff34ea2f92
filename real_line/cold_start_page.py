"""`python -m` this draws the recorded cold start: docs/cold-start.svg, and its section of docs/cold-starts.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Final

from real_line.cold_start_result import PULL, WEIGHTS, ColdStart, Launched, recorded

PICTURE: Final = Path("docs/cold-start.svg")
PAGE: Final = Path("docs/cold-starts.md")
BEGIN: Final = "<!-- the recorded cold start: make docs -->\n"
END: Final = "<!-- the end of the recorded cold start -->\n"
DOWNLOAD: Final = "download"
_MACHINE, _DOCKER, _IMAGE, _WEIGHTS, _VLLM = ROWS = (
    "order, SSH, checks",
    "Docker, toolkit",
    "image",
    "weights",
    "vLLM",
)
_ROW_OF: Final = {"docker_install": _DOCKER, "nvidia_toolkit": _DOCKER, PULL: _IMAGE, WEIGHTS: _WEIGHTS}
_MB: Final = 1_000_000
_COLUMNS: Final = 120
_LOOKED_S: Final = 1
"""So long vLLM looks for files that are there."""

_WIDTH: Final = 860
_LEFT: Final = 150
_RIGHT: Final = 30
_ROW: Final = 22
_BAR: Final = 14
_HEAD: Final = 44
_AXIS: Final = 30
_TICKS_S: Final = (10, 20, 30, 60, 120, 300, 600)
_MOST_TICKS: Final = 10
_STYLE: Final = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; } .small { font-size: 11px; fill: #59636e; }
.head { font-weight: 600; } .critical { fill: #0969da; } .beside { fill: #9ec9f5; } .grid { stroke: #d1d9e0; }
.slack { stroke: #59636e; stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .small { fill: #9198a1; } .critical { fill: #4493f8; } .beside { fill: #1f4b80; }
.grid { stroke: #3d444d; } .slack { stroke: #9198a1; }
}"""

_SAID: Final = "The critical path of a cold start before and after, and of a reinstall"


@dataclass(frozen=True)
class Bar:
    """In seconds after the order; `slack_s` is None where the next step waited for it."""

    row: str
    began_s: float
    ended_s: float
    slack_s: float | None = None

    @property
    def seconds(self) -> float:
        return self.ended_s - self.began_s


def bars(launched: Launched) -> list[Bar]:
    """Steps of one row that follow each other are one bar. What vLLM downloads is taken out of its own time."""
    found: list[Bar] = []
    row = _MACHINE
    for interval in launched.path.intervals:
        began = (interval.began_at - launched.path.began_at).total_seconds()
        row = _ROW_OF.get(interval.step, _VLLM if row not in (_MACHINE, _DOCKER) else row)
        slack = None if interval.critical else interval.slack_seconds
        bar = Bar(row, began, began + interval.seconds, slack)
        former = next((each for each in reversed(found) if each.row == row), None)
        if former and abs(former.ended_s - began) < 0.01 and (former.slack_s is None) == (slack is None):
            found[found.index(former)] = Bar(row, former.began_s, bar.ended_s, slack)
        else:
            found.append(bar)
    return [piece for bar in found for piece in _without_download(bar, launched) if piece.seconds > 0]


def _without_download(bar: Bar, launched: Launched) -> Iterator[Bar]:
    began = bar.began_s
    for step in launched.loading if bar.row == _VLLM else ():
        if step.name == DOWNLOAD and step.seconds > _LOOKED_S:
            yield Bar(_VLLM, began, step.began_s)
            began = step.began_s + step.seconds
            yield Bar(_WEIGHTS, step.began_s, began)
    yield Bar(bar.row, began, bar.ended_s, bar.slack_s)


def row_seconds(launched: Launched) -> dict[str, float]:
    seconds = dict.fromkeys(ROWS, 0.0)
    for bar in bars(launched):
        seconds[bar.row] += bar.seconds
    return seconds


def launches(measured: ColdStart) -> list[tuple[str, Launched]]:
    shown = [("vLLM fetches the weights", measured.by_vllm), ("the machine fetches the weights", measured.by_host)]
    return [*shown, *([("a reinstall", measured.reinstalled)] if measured.reinstalled else [])]


def picture(measured: ColdStart) -> str:
    """SVG: a chart for each launch on one axis of seconds. What the next step waited for is darker."""
    shown = launches(measured)
    longest = max(launched.path.seconds for _, launched in shown)
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    height = sum(_height(launched) for _, launched in shown) + _AXIS
    tick = next((each for each in _TICKS_S if longest / each <= _MOST_TICKS), _TICKS_S[-1])
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{_SAID}">',
        f"<style>{_STYLE}</style>",
    ]
    for second in range(0, int(longest) + 1, tick):
        x = _LEFT + second * scale
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_HEAD - 12}" y2="{height - _AXIS + 4}"/>')
        lines.append(f'<text class="small" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{second} s</text>')
    y = 0
    for name, launched in shown:
        lines.extend(_chart(name, launched, y, scale))
        y += _height(launched)
    return "\n".join((*lines, "</svg>", ""))


def _height(launched: Launched) -> int:
    return _HEAD + _ROW * len(_rows(launched))


def _rows(launched: Launched) -> list[str]:
    used = {bar.row for bar in bars(launched) if bar.seconds}
    return [row for row in ROWS if row in used]


def _chart(name: str, launched: Launched, y: int, scale: float) -> Iterator[str]:
    said = f"{name}: ready after {launched.path.seconds:.0f} s"
    yield f'<text class="head" x="8" y="{y + 26}">{escape(said)}</text>'
    for number, row in enumerate(_rows(launched)):
        top = y + _HEAD - 8 + number * _ROW
        yield f'<text x="{_LEFT - 10}" y="{top + 12}" text-anchor="end">{escape(row)}</text>'
        for bar in (each for each in bars(launched) if each.row == row):
            kind = "critical" if bar.slack_s is None else "beside"
            x, width = _LEFT + bar.began_s * scale, max(bar.seconds * scale, 1)
            yield (
                f'<rect class="{kind}" x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="2">'
                f"<title>{escape(row)}: {bar.seconds:.1f} s</title></rect>"
            )
            if bar.slack_s:
                end = x + width + bar.slack_s * scale
                middle = top + _BAR / 2
                yield f'<line class="slack" x1="{x + width:.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}"/>'


def section(measured: ColdStart) -> str:
    """Markdown: the picture, the seconds by row, and what they say."""
    shown = launches(measured)
    heads = ["step", *(name for name, _ in shown)]
    seconds = [row_seconds(launched) for _, launched in shown]
    rows = [[row, *(_seconds(each[row]) for each in seconds)] for row in ROWS]
    rows += [
        ["order to ready", *(_seconds(launched.path.seconds) for _, launched in shown)],
        ["order to first token", *(_seconds(launched.first_token_s) for _, launched in shown)],
    ]
    words = (
        f"A model of {measured.weights_bytes / _MB:.0f} MB and vLLM {measured.vllm} for CPUs, whose image has "
        f"{measured.image_bytes / _MB:,.0f} MB compressed. The machine's link has {measured.hub_rate / _MB:.0f} MB/s "
        f"to the hub and {measured.registry_rate / _MB:.0f} MB/s to the registry. Played on {measured.played}. "
        f"Weights and image came at the same time for {measured.by_host.overlap_s:.0f} s; the first token came after "
        f"{measured.by_host.first_token_s / measured.by_vllm.first_token_s:.2f} × the time."
    )
    if measured.reinstall_ratio is not None:
        words += f" The reinstall took {measured.reinstall_ratio:.2f} × the time of the first install."
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ["---"] * len(heads), *rows))
    return f"{fill(words, _COLUMNS)}\n\n![The critical path before and after](cold-start.svg)\n\n{table}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else "–"


def drawn(page: str, measured: ColdStart) -> str:
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{section(measured)}{END}{rest.split(END)[1]}"


def write(measured: ColdStart, files: Sequence[Path] = (PAGE, PICTURE)) -> None:
    page, image = files
    page.write_text(drawn(page.read_text(), measured))
    image.write_text(picture(measured))


if __name__ == "__main__":
    write(recorded())
