"""What of the library is made is as `make docs` makes it, from the document that an api serves."""

import pytest
import yaml

from tests.api.openapi.test_document import described
from tests.api.stage import Stage
from tools import client_blocking, client_models, openapi_document

PROJECT = client_models.PROJECT


async def test_the_document_that_is_kept_is_the_one_that_an_api_serves(stage: Stage) -> None:
    kept = yaml.safe_load((PROJECT / "docs/openapi.yaml").read_text())
    assert kept == await described(stage)


@pytest.mark.real
def test_the_types_are_those_of_the_document() -> None:
    assert (PROJECT / "docs/openapi.yaml").read_text() == openapi_document.as_yaml(), "make docs"
    assert client_models.ANSWERS.read_text() == client_models.answers(), "make docs"
    assert client_models.BODIES.read_text() == client_models.bodies(), "make docs"


@pytest.mark.real
def test_the_blocking_client_is_the_asynchronous_one_without_its_awaits() -> None:
    kept = {path.name: path.read_text() for path in client_blocking.TO.glob("*.py")}
    assert kept == client_blocking.made(), "make docs"
