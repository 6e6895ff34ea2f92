"""A route's services are found by type, so that no parameter's name can be a body's field, too."""

import ast
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.plugins.pydantic import PydanticPlugin
from pydantic import BaseModel

from services.api.control.dependencies import Provided, Services, with_services
from services.api.control.problems import to_problem

API = Path(__file__).parents[3] / "services" / "api"


class Shelf:
    """A service that a route below asks for."""

    def __init__(self) -> None:
        self.held: list[int] = []


class TallShelf(Shelf):
    pass


@dataclass(frozen=True)
class Room:
    shelf: Shelf


class Body(BaseModel):
    shelf: int
    place: int = 0


@post("/books", summary="Put a book on the shelf")
async def put(data: JSONBody[Body], shelf: Provided[Shelf], place: Provided[Shelf]) -> dict[str, Any]:
    assert place is shelf
    shelf.held.append(data.shelf)
    return {"held": shelf.held}


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    app = Litestar(
        [with_services(put, Services(rooms=[Room(Shelf())]))],
        exception_handlers={Exception: to_problem},
        plugins=[PydanticPlugin(validate_strict=True)],
        logging_config=None,
    )
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's types are its own
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as connected:
        yield connected


async def test_a_route_gets_the_one_service_of_the_type_that_it_asks_for(client: httpx.AsyncClient) -> None:
    for number in (1, 2):
        answer = await client.post("/books", json={"shelf": number})
    assert (answer.status_code, answer.json()) == (201, {"held": [1, 2]})


async def test_a_wrong_field_that_is_called_like_a_service_is_told_to_its_sender(client: httpx.AsyncClient) -> None:
    answer = await client.post("/books", json={"shelf": "top", "place": "left"})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/shelf", "/place"]


async def test_no_request_can_name_a_service(client: httpx.AsyncClient) -> None:
    answer = await client.post("/books?shelf=another&place=another", json={"shelf": 7})
    assert answer.json() == {"held": [7]}


@pytest.mark.parametrize("services", [Services(), Services("a word"), Services(Shelf(), TallShelf())])
def test_a_route_whose_service_is_missing_or_there_twice_is_not_begun_with(services: Services) -> None:
    with pytest.raises(LookupError, match=r"of Shelf there are [02] for the routes, not one"):
        with_services(put, services)


def test_one_of_a_narrower_type_will_do() -> None:
    tall = TallShelf()
    assert Services(tall).of(Shelf) is tall


def test_a_route_is_left_as_it_is_for_another_application() -> None:
    before = put.fn
    bound: HTTPRouteHandler = with_services(put, Services(Shelf()))
    assert put.fn is before
    assert bound.fn is not before


def test_nothing_here_is_found_by_its_name() -> None:
    modules = {path: ast.parse(path.read_text()) for path in API.rglob("*.py")}
    found = [
        path.name
        for path, tree in modules.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and node.module == "litestar.di")
        or (isinstance(node, ast.keyword) and node.arg == "dependencies")
    ]
    assert not found
