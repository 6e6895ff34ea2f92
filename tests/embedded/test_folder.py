import os
import socket
from itertools import islice
from pathlib import Path

import pytest

from coldstart.embedded import EmbeddedNats, PortTakenError
from coldstart.embedded.folder import ServerFolder
from coldstart.embedded.ports import HOST, candidates


def test_a_password_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path, "nats")
    with folder.locked():
        password = folder.password("password")
        assert len(password) >= 32
        assert folder.password("password") == password
    assert (tmp_path / "nats" / "password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "nats").stat().st_mode & 0o777 == 0o700


def test_a_new_log_keeps_the_one_before_and_no_more(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path, "nats")
    with folder.locked():
        for run in (b"first", b"second", b"third"):
            log = folder.new_log()
            os.write(log, run)
            os.close(log)
    assert folder.log_tail() == "third"
    assert sorted(file.name for file in folder.path.glob("*log*")) == ["server.log", "server.log.1"]
    assert (folder.path / "server.log.1").read_text() == "second"


def test_the_tail_of_a_long_log_is_its_last_lines(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path, "nats")
    with folder.locked():
        log = folder.new_log()
        os.write(log, "\n".join(f"line {number}" for number in range(10_000)).encode())
        os.close(log)
    assert folder.log_tail().splitlines()[0] == "line 9980"
    assert folder.log_tail().endswith("line 9999")


@pytest.mark.real
def test_a_wanted_port_is_the_only_candidate_and_refused_when_taken() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            next(candidates(port, None))
    assert list(candidates(port, None)) == [port]


@pytest.mark.real
def test_the_previous_port_comes_first_while_it_is_free() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        assert port not in set(candidates(0, port))
    assert next(candidates(0, port)) == port
    assert len(set(islice(candidates(0, None), 3))) >= 1


async def test_a_port_taken_between_the_look_and_the_start_is_left_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        taken = listener.getsockname()[1]
        free = next(candidates(0, None))
        monkeypatch.setattr("coldstart.embedded.server.candidates", lambda _wanted, _previous: iter([taken, free]))
        async with EmbeddedNats(tmp_path) as nats:
            assert nats.url.endswith(f":{free}")


async def test_a_wanted_port_is_used_and_remembered(tmp_path: Path) -> None:
    port = next(candidates(0, None))
    async with EmbeddedNats(tmp_path, port=port) as nats:
        assert nats.url.endswith(f"@127.0.0.1:{port}")
    async with EmbeddedNats(tmp_path) as nats:
        assert nats.url.endswith(f"@127.0.0.1:{port}")
