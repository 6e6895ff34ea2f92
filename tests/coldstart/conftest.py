import os
import tempfile
from collections.abc import Iterator

import pytest

from tests.coldstart.fake_api import FakeApi, fake_api


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's settings are the ones that it sets."""
    for name in os.environ:
        if name.startswith(("COLDSTART_", "SCW_", "SIMULATOR_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_temporary_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process that a test kills leaves behind; short, since sockets lie there."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as serving:
        yield serving
