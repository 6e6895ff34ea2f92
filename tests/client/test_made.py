"""What of the library is made is as `make docs` makes it."""

import pytest

from tools import client_blocking, client_models


@pytest.mark.real
def test_the_types_are_those_of_the_document() -> None:
    assert client_models.ANSWERS.read_text() == client_models.answers(), "make docs"
    assert client_models.BODIES.read_text() == client_models.bodies(), "make docs"


@pytest.mark.real
def test_the_blocking_client_is_the_asynchronous_one_without_its_awaits() -> None:
    kept = {path.name: path.read_text() for path in client_blocking.TO.glob("*.py")}
    assert kept == client_blocking.made(), "make docs"
