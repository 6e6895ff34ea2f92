"""A hub for the functions that fetch weights."""

from collections.abc import Iterator

import pytest

from tests.provisioner.install.fetching import FILES
from tests.provisioner.install.lying_hub import LyingHub, lying_hub


@pytest.fixture
def hub() -> Iterator[LyingHub]:
    with lying_hub() as lying:
        lying.files = {path.replace(" ", "%20"): content for path, content in FILES.items()}
        yield lying
