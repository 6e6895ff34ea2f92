"""All bodies share a limited number of bytes, and no owner gets all of them."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.api.access.api_keys import ApiKey, Role
from services.api.router import bodies as bodies_module
from services.api.router.bodies import Bodies, Body, expect_acceptable
from services.api.router.refusal import Refusal
from tests.lifecycle.facts import AT

Receive = Callable[[], Awaitable[Any]]
LENGTH = {b"content-length": b"10"}


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """From ten bytes on, a body is judged by the length in its head."""
    monkeypatch.setattr(bodies_module, "_AT_ONCE", 9)


def a_key(organization: UUID | None = None) -> ApiKey:
    return ApiKey(
        id=uuid4(), name="a key", role=Role.USER, prefix="csk_abc", created_at=AT, organization_id=organization
    )


def receiving(*pieces: bytes, ends: bool = True) -> Receive:
    """These pieces, then the end of the body, or the client's disconnection."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.request" if ends else "http.disconnect"})
    waiting = iter(messages)

    async def receive() -> Any:
        return next(waiting)

    return receive


async def never() -> Any:
    raise AssertionError("nothing of this body is to be read")


async def refusal(body: Body, receive: Receive, headers: dict[bytes, bytes] | None = None) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused, body:
        await body.read(headers or {}, receive)
    return refused.value.status, refused.value.code


@pytest.mark.parametrize("pieces", [(), (b"0123456789",), (b"0", b"", b"123", b"456789")])
async def test_a_body_is_held_whole_until_it_is_let_go(pieces: tuple[bytes, ...]) -> None:
    bodies = Bodies(most=100, longest=10)
    whole = b"".join(pieces)
    with bodies.of(a_key()) as body:
        assert await body.read({}, receiving(*pieces))
        assert (body.content, body.received, bodies.held) == (whole, len(whole), len(whole))
        body.let_go()
        assert (body.content, body.received, bodies.held) == (b"", len(whole), 0)
    assert bodies.held == 0


async def test_a_body_whose_client_leaves_is_let_go() -> None:
    bodies = Bodies(most=100, longest=10)
    with bodies.of(a_key()) as body:
        assert not await body.read({}, receiving(b"012", b"345", ends=False))
        assert bodies.held == 6
    assert bodies.held == 0


async def test_no_body_is_longer_than_it_may_be() -> None:
    bodies = Bodies(most=100, longest=10)
    assert await refusal(bodies.of(a_key()), receiving(b"012345", b"67890")) == (413, "body_too_large")
    assert bodies.held == 0
    with pytest.raises(Refusal) as refused:
        expect_acceptable({b"content-length": b"11"}, 10)
    assert refused.value.status == 413


async def test_of_one_organization_there_are_half_as_many_bytes_as_of_all() -> None:
    bodies, organization = Bodies(most=40, longest=10), uuid4()
    with bodies.of(a_key(organization)) as first, bodies.of(a_key(organization)) as second:
        assert await first.read({}, receiving(b"0123456789"))
        assert await second.read({}, receiving(b"0123456789"))
        third = a_key(organization)
        assert await refusal(bodies.of(third), receiving(b"0")) == (429, "too_many_bytes_held")
        assert await refusal(bodies.of(third), never, LENGTH) == (429, "too_many_bytes_held")
        with bodies.of(a_key()) as stranger:
            assert await stranger.read(LENGTH, receiving(b"0123456789"))
        second.let_go()
        with bodies.of(third) as body:
            assert await body.read(LENGTH, receiving(b"0123456789"))


async def test_of_all_there_are_so_many_bytes_and_no_more() -> None:
    bodies = Bodies(most=20, longest=10)
    with bodies.of(a_key()) as first, bodies.of(a_key()) as second:
        assert await first.read({}, receiving(b"0123456789"))
        assert await second.read({}, receiving(b"012345678"))
        assert await refusal(bodies.of(a_key()), receiving(b"0", b"1")) == (503, "too_many_bytes_held")
        assert await refusal(bodies.of(a_key()), never, LENGTH) == (503, "too_many_bytes_held")
        assert bodies.held == 19
    assert bodies.held == 0


async def test_one_body_always_has_room() -> None:
    bodies = Bodies(most=5, longest=10)
    with bodies.of(a_key()) as body:
        assert await body.read(LENGTH, receiving(b"0123456789"))
