"""The positions of an object's members are those that any JSON parser finds, whatever the pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.router import members
from services.api.router.members import Malformed, spans
from tests.api.router.steps import timed

TEXT = st.text(
    st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "a", "\u00e9", "\U0001f642"]), max_size=30
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture(params=[1, 3, 64], ids=lambda size: f"{size} bytes at first", scope="module")
def _pieces(request: pytest.FixtureRequest) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(members, "_FIRST_STEP", request.param)
        patched.setattr(members, "_STEP", max(8, request.param))
        yield


@pytest.mark.usefixtures("_pieces")
@given(st.dictionaries(TEXT, VALUES, max_size=5), st.sampled_from([None, 0, 3]), st.booleans())
def test_every_member_is_found_where_it_stands(body: dict[str, Any], indent: int | None, ascii_only: bool) -> None:
    raw = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode()
    found = timed(spans(raw, body.keys()))[2]
    assert {name: [json.loads(raw[begin:end]) for begin, end in places] for name, places in found.items()} == {
        name: [value] for name, value in body.items()
    }


@pytest.mark.usefixtures("_pieces")
@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=3), st.data())
def test_an_object_that_ends_too_early_is_none(body: dict[str, Any], data: st.DataObject) -> None:
    raw = json.dumps(body).encode()
    with pytest.raises(Malformed):
        timed(spans(raw[: data.draw(st.integers(0, len(raw) - 1))], body.keys()))[2]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_what_is_no_utf_8_is_not_read_otherwise_than_by_the_worker(encoding: str) -> None:
    with pytest.raises(Malformed):
        timed(spans('{"model":"a"}'.encode(encoding), {"model"}))[2]
