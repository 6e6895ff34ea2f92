"""Real servers for every test that needs one: its own NATS, its own database in a shared PostgreSQL.

What a test has recorded as a property named `SUMMARY` is a line of the run's summary, also when it passed.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.postgres import EmbeddedPostgres

SUMMARY: Final = "summary"

settings.register_profile("coldstart", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("coldstart")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, line in report.user_properties:
                if name == SUMMARY:
                    terminalreporter.write_line(line)


@pytest.fixture
async def nats_url(tmp_path: Path) -> AsyncGenerator[str]:
    """A JetStream server of the test's own: stream names are fixed, so isolation is a server."""
    async with EmbeddedNats(tmp_path / "nats-server") as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """One PostgreSQL server for the whole session; use `database_url` for a database of the test's own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    with asyncio.Runner() as runner:
        runner.run(server.__aenter__())
        yield server.url
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncGenerator[str]:
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{postgres_url.rpartition('/')[0]}/{name}"
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()
