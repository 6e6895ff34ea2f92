"""Servers for tests: the real ones, without the waiting for a disk that outlives no test."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg

from coldstart.embedded.nats import EmbeddedNats
from coldstart.embedded.ports import HOST
from coldstart.embedded.postgres import EmbeddedPostgres
from coldstart.supervised.process import Command

_ACCOUNTS: Final = 200
_FORGETFUL: Final = ("--fsync=off", "--synchronous_commit=off", "--full_page_writes=off")


class ScratchPostgres(EmbeddedPostgres):
    """Loses what it holds when the machine does."""

    def command(self, port: int) -> Command:
        command = super().command(port)
        return replace(command, options=[*command.options, *_FORGETFUL])


class ScratchNats(EmbeddedNats):
    """Has many accounts, each as empty as a new server: none hears another's messages or sees its streams."""

    stop_signal = signal.SIGKILL  # it would write down the state of every stream, for a quarter of a minute

    def command(self, port: int) -> Command:
        command = super().command(port)
        accounts = {f"test-{number}": self._account(f"test-{number}") for number in range(_ACCOUNTS)}
        configuration = {
            "server_name": "scratch",
            "listen": f"{HOST}:{port}",
            "jetstream": {"store_dir": str(self.folder.data), "max_memory_store": 64_000_000},
            "accounts": {"coldstart": self._account("coldstart"), **accounts},
        }
        Path(command.options[-1]).write_text(json.dumps(configuration), encoding="utf-8")
        return command

    def urls(self) -> Iterator[str]:
        """Of every account, each once."""
        for number in range(_ACCOUNTS):
            yield self.url.replace("://coldstart:", f"://test-{number}:", 1)

    def _account(self, user: str) -> dict[str, object]:
        return {"jetstream": "enabled", "users": [{"user": user, "password": self.folder.password("password")}]}


async def new_database(server_url: str, template: str = "template1") -> tuple[str, str]:
    """Its name and URL; a copy of `template`, which nobody may be connected to."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    finally:
        await connection.close()
    return name, f"{server_url.rpartition('/')[0]}/{name}"
