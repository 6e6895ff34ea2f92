"""`python -m` this draws the recorded run of `make chaos` into docs/reliability.md, between its two marks."""

import json
from pathlib import Path
from typing import Any, Final

from tests.chaos.faults import Kind

RECORDED: Final = Path(__file__).with_name("recorded.json")
PAGE: Final = Path("docs/reliability.md")
BEGIN: Final = "<!-- the recorded run: make docs -->\n"
END: Final = "<!-- the end of the recorded run -->\n"
PROMISES: Final[dict[Kind, str]] = {
    Kind.KILL: "its work goes to the other process, and it is started again",
    Kind.STALL: "after its lease, its work goes to the other process; when it wakes, it changes nothing more",
    Kind.NODE_KILL: "two nodes go on; the third one catches up",
    Kind.NODE_STALL: "the same",
    Kind.QUORUM: "nothing is recorded meanwhile, and nothing that was accepted is lost",
    Kind.LEADER: "appends are tried again, and none is recorded twice",
    Kind.POSTGRES_KILL: "inferences go on; lists and timelines catch up",
    Kind.POSTGRES_STALL: "the same",
    Kind.CLOUD_CALL: "it is tried again; nothing is ordered twice, and nothing that was ordered is lost",
    Kind.CLOUD_AWAY: "launches and releases wait, and go on",
    Kind.SERVER_LOST: "its instance fails, and what is left of it is released",
}


def table(report: dict[str, Any]) -> str:
    rows = [
        f"| {kind} | {struck['times']} | {PROMISES[kind]} | {struck['median_s']:.2f} / {struck['longest_s']:.1f} s |"
        for kind in Kind
        for struck in [report["faults"][kind.value]]
    ]
    head = [
        "| fault | times | promise | the next inference was answered after (median / longest) |",
        "|---|---|---|---|",
    ]
    return "\n".join((*head, *rows))


def words(report: dict[str, Any]) -> str:
    faults = sum(struck["times"] for struck in report["faults"].values())
    served, became = report["served"], report["became"]
    again = ", ".join(f"{what} ({count})" for what, count in report["again"].items())
    broken = "None of the promises was broken." if not report["broken"] else f"Broken: {report['broken']}"
    return (
        f"Seed {report['seed']}: {faults:,} faults in {report['seconds'] / 60:.0f} minutes, "
        f"{sum(served.values()):,} inferences ({served.get('streamed', 0):,} of them streamed), "
        f"{report['launched']} launches, of which {became.get('terminated', 0)} were terminated and "
        f"{report['launched'] - became.get('terminated', 0)} failed, since their machines were deleted. {broken}\n\n"
        f"An inference was answered after {report['wait_median_s']:.2f} s (median), {report['wait_p99_s']:.1f} s (99th "
        f"percentile), {report['wait_longest_s']:.1f} s (longest), with all the times that its client asked again. "
        f"What clients were told before they did: {again}."
    )


def drawn(page: str, report: dict[str, Any]) -> str:
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{words(report)}\n\n{table(report)}\n{END}{rest.split(END)[1]}"


def main() -> None:
    PAGE.write_text(drawn(PAGE.read_text(), json.loads(RECORDED.read_text())))


if __name__ == "__main__":
    main()
