from pathlib import Path

import pytest

from coldstart.last_words import last_words

TRACEBACK = (
    'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    raise\nOSError: the disk is full\n'
)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("first\nFATAL:  the folder has wrong permissions\n\n", "FATAL:  the folder has wrong permissions"),
        ('{"event": "serving"}\n{"event": "bus lost", "reason": "refused", "level": "error"}\n', "bus lost: refused"),
        (
            '{"event": "failed", "exception": "Traceback …\\nValueError: no such zone"}\n',
            "failed: ValueError: no such zone",
        ),
        (TRACEBACK, "OSError: the disk is full"),
        (f"{TRACEBACK}    + 1 more\n  | indented\n", "OSError: the disk is full"),
        ("FATAL:  files are incompatible\nDETAIL:  made by version 9\n", "FATAL:  files are incompatible"),
        ("", "it says nothing"),
    ],
)
def test_it_is_the_last_line_for_people(tmp_path: Path, log: str, said: str) -> None:
    file = tmp_path / "service.log"
    file.write_text(log)
    assert last_words(file) == said


def test_what_an_earlier_start_wrote_is_not_this_ones(tmp_path: Path) -> None:
    file = tmp_path / "service.log"
    file.write_text("of yesterday\n")
    assert last_words(file, since=file.stat().st_size) == "it says nothing"
    assert last_words(tmp_path / "none.log") == "it says nothing"
