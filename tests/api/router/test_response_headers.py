"""A client gets the worker's headers that it needs, and none that a browser would act on."""

import pytest

from services.api.router.response_headers import content_type, is_coded, passed_back

BYTES = b"application/octet-stream"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (b"application/json", b"application/json"),
        (b"text/event-stream; charset=utf-8", b"text/event-stream; charset=utf-8"),
        (b"Text/Plain;charset=UTF-8", b"text/plain; charset=utf-8"),
        (b"text/plain; charset=utf-7", b"text/plain"),
        (b"application/octet-stream", BYTES),
        (b"text/html; charset=utf-8", BYTES),
        (b"image/svg+xml", BYTES),
        (b"text/html;application/json", BYTES),
        (b"application/json, text/html", BYTES),
        (b"", BYTES),
    ],
)
def test_only_types_that_no_browser_acts_on_are_told(told: bytes, shown: bytes) -> None:
    assert passed_back(200, [(b"content-type", told)], streams=False) == [(b"content-type", shown)]


def test_of_two_types_the_first_counts() -> None:
    headers = [(b"content-type", b"application/json"), (b"content-type", b"text/html")]
    assert passed_back(200, headers, streams=False) == [(b"content-type", b"application/json")]
    assert content_type(headers) == b"application/json"


def test_how_long_and_when_to_come_back_pass_where_they_make_sense() -> None:
    headers = [(b"content-length", b"5"), (b"retry-after", b"7"), (b"retry-after", b"7\x00"), (b"retry-after", b"-1")]
    kind = (b"content-type", BYTES)
    assert passed_back(503, headers, streams=False) == [kind, (b"content-length", b"5"), (b"retry-after", b"7")]
    assert passed_back(200, headers, streams=True) == [kind, (b"retry-after", b"7")]
    assert passed_back(204, headers, streams=False) == []


@pytest.mark.parametrize(("coding", "coded"), [(b"gzip", True), (b"identity", False), (b"Identity", False)])
def test_a_content_coding_is_noticed(coding: bytes, coded: bool) -> None:
    assert is_coded([(b"content-encoding", coding)]) is coded
