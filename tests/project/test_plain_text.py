"""Text from elsewhere is shown as what it is, in messages, in events and in a log."""

import logging
import unicodedata

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.logs import configure_logs
from shared.plain_text import LONGEST, UNSHOWABLE, plain, plain_line
from tests.lifecycle import facts as f

ACTING = st.characters(categories=("Cc", "Cs", "Zl", "Zp", "Cf"))
TEXTS = st.text(st.one_of(ACTING, st.characters(), st.sampled_from("\x1b[]\x9b;m\\\x07")))
BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(TEXTS)
def test_nothing_in_a_plain_text_acts(text: str) -> None:
    for character in plain(text):
        assert character == "\n" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in BIDIRECTIONAL
    assert "\n" not in plain_line(text)
    assert plain(plain(text)) == plain(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S")), max_size=50))
def test_what_only_shows_itself_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m and \x9b4munder\x9b0m", "red and under"),
        ("\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]0;title\x07text", "text"),
        ("one\r\ntwo\tthree\n", "one\ntwo three\n"),
        ("10 %\r20 %", f"10 %{UNSHOWABLE}20 %"),
        ("admin\u202etxt.exe", f"admin{UNSHOWABLE}txt.exe"),
        ("\x1b[31", f"{UNSHOWABLE}[31"),
        ("a\0b\x7fc\ud800", f"a{UNSHOWABLE}b{UNSHOWABLE}c{UNSHOWABLE}"),
    ],
)
def test_a_text_is_what_is_left_of_it(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(TEXTS, st.integers(1, 5_000))
def test_no_event_has_what_acts_or_is_too_long_in_what_it_tells(text: str, times: int) -> None:
    for event in (
        f.health_lost(reason=text * times),
        f.action_delayed(reason=text * times),
        f.startup_failed(message=text * times),
        f.ssh_install_failed(reason=text * times, output=(text * times,)),
    ):
        told = [getattr(event, name, "") for name in ("reason", "message")] + list(getattr(event, "output", ()))
        assert all(plain(one) == one and len(one) <= LONGEST for one in told)
        assert type(event).model_validate_json(event.model_dump_json()) == event


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_a_log_on_a_terminal_shows_what_it_was_told_and_does_nothing(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("test", "info", log_format)  # type: ignore[arg-type]
    hostile = "\x1b[2J\x9b2J\r\u202e\0\n2026-01-01 [info] forged"
    structlog.get_logger().warning("said", reason=hostile, several=[hostile])
    logging.getLogger("library").warning("said %s", hostile)
    structlog.get_logger().error("raised", exc_info=ValueError(hostile))
    written = capsys.readouterr().err
    assert plain(written) == written
    assert "forged" in written
    assert not [line for line in written.splitlines() if line.startswith("2026-01-01 [")]
