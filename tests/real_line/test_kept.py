"""What `make real` keeps for its next run: whole or not at all, and only what still fits."""

from pathlib import Path

import pytest

from real_line.kept import Kept


def test_what_was_made_is_kept_for_the_same_dependencies(tmp_path: Path) -> None:
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append("once")
        (folder / "file").write_text("content")

    places = [Kept(tmp_path)("disk", ("a", 1), "a disk", make) for _ in range(2)]
    assert places[0] == places[1]
    assert ((places[0] / "file").read_text(), made) == ("content", ["once"])


def test_other_dependencies_replace_what_was_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    former = kept("disk", "a", "a disk", lambda _: None)
    other = kept("disk-of-another", "a", "another", lambda _: None)
    later = kept("disk", "b", "a disk", lambda _: None)
    assert [place.exists() for place in (former, other, later)] == [False, True, True]


def test_what_was_not_finished_is_made_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path)

    def breaks(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        kept("disk", "a", "a disk", breaks)
    assert list(kept("disk", "a", "a disk", lambda _: None).iterdir()) == []
