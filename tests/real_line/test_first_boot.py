"""What a timeline says of the install's waits."""

from typing import Any

from real_line.first_boot import waits_in


def row(name: str, second: int, **data: Any) -> dict[str, Any]:
    return {"type": name, "data": data, "occurred_at": f"2026-11-29T10:00:{second:02}+00:00"}


def test_a_wait_lasts_from_its_delay_until_the_install_goes_on() -> None:
    rows = [
        row("ActionDelayed", 0, code="machine_unreachable", reason="no route"),
        row("ActionResumed", 1),
        row("ActionDelayed", 2, code="waiting", reason="waits for cloud-init"),
        row("ActionResumed", 12),
        row("SshInstallPhaseReached", 13, phase="image_pull"),
        row("ActionDelayed", 14, code="waiting", reason="waits for a lock"),
        row("ActionResumed", 17),
        row("ActionDelayed", 18, code="waiting", reason="waits for ever"),
    ]
    assert waits_in(rows) == [("waits for cloud-init", 10.0), ("waits for a lock", 3.0)]
