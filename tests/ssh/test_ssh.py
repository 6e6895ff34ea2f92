"""The SSH shell against a real server: who proves itself is heard, who does not hears nothing."""

import asyncio
import socket
from contextlib import suppress
from uuid import UUID

import pytest

from shared.machine import Exited, KeyRefused, Unreachable, WrongHostKey
from shared.machine_output import AT_ONCE, LONGEST_LINE
from shared.secrets import Secrets, SshKey
from shared.ssh import SshShell
from tests.ssh.ssh_server import Process, ssh_server

SECRETS = Secrets("0123456789abcdef" * 4)
INSTANCE = UUID("0b54d3a6-27a5-4b2c-8a53-6f0c1a7f9d10")
OURS, NEXT, STRANGE = (SECRETS.host_key(INSTANCE, number) for number in (0, 1, 2))
CLIENT = SECRETS.ssh_client_key()
PATIENCE_S = 120.0
FOR_EVER_S = 600.0


def shell_to(
    port: int, client_key: SshKey = CLIENT, keepalive_s: float = FOR_EVER_S, timeout_s: float = FOR_EVER_S
) -> SshShell:
    return SshShell(client_key=client_key, port=port, connect_timeout_s=timeout_s, keepalive_s=keepalive_s)


async def said_by(shell: SshShell, *host_keys: SshKey) -> list[str | Exited]:
    async with shell.open("127.0.0.1", [key.public for key in host_keys]) as session:
        return [said async for said in session.run("bash -s", b"echo \xc3\xa9\n")]


async def answers(process: Process, _: str) -> None:
    process.stdout.write("one\n")
    process.stderr.write("two\n")
    process.stdout.write("three")
    process.exit(3)


async def test_lines_of_both_outputs_come_in_order_then_the_exit_status() -> None:
    async with ssh_server(OURS, CLIENT, answers) as server:
        assert await said_by(shell_to(server.port), OURS, NEXT) == ["one", "two", "three", Exited(3)]
        assert server.received == ["echo é\n"]
        assert server.users == ["root"]


async def test_lines_come_as_they_are_printed() -> None:
    heard = asyncio.Event()

    async def waits(process: Process, _: str) -> None:
        process.stdout.write("first\n")
        await heard.wait()
        process.exit(0)

    async with (
        ssh_server(OURS, CLIENT, waits) as server,
        asyncio.timeout(PATIENCE_S),
        shell_to(server.port).open("127.0.0.1", [OURS.public]) as session,
    ):
        coming = session.run("bash -s", b"")
        assert await anext(coming) == "first"
        heard.set()
        assert await anext(coming) == Exited(0)
        await coming.aclose()


@pytest.mark.parametrize("number", [0, 1])
async def test_the_session_knows_which_of_the_accepted_keys_the_machine_has(number: int) -> None:
    async with (
        ssh_server((OURS, NEXT)[number], CLIENT, answers) as server,
        shell_to(server.port).open("127.0.0.1", [OURS.public, NEXT.public]) as session,
    ):
        assert session.host_key == (OURS, NEXT)[number].public


async def test_a_wrong_host_key_is_told_nothing_not_even_who_we_are() -> None:
    async with ssh_server(STRANGE, CLIENT, answers) as server:
        with pytest.raises(WrongHostKey, match="another host key"):
            await said_by(shell_to(server.port), OURS, NEXT)
        assert server.received == []
        assert server.users == []


async def test_no_accepted_key_means_no_machine_is_trusted() -> None:
    async with ssh_server(OURS, CLIENT, answers) as server:
        with pytest.raises((WrongHostKey, Unreachable)):
            await said_by(shell_to(server.port))
        assert server.received == []


async def test_a_machine_that_does_not_let_us_in_says_so_and_which_key_it_refuses() -> None:
    async with ssh_server(OURS, STRANGE, answers) as server:
        with pytest.raises(KeyRefused, match="`coldstart ssh-key` prints: Permission denied"):
            await said_by(shell_to(server.port), OURS)


async def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            await said_by(shell_to(unused.getsockname()[1]), OURS)


async def test_a_machine_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Unreachable):
                await said_by(shell_to(silent.getsockname()[1], timeout_s=0.2), OURS)


async def test_a_connection_that_breaks_in_the_middle_is_unreachable() -> None:
    async def breaks(process: Process, _: str) -> None:
        process.stdout.write("one\n")
        await process.stdout.drain()
        server.cut()

    async with ssh_server(OURS, CLIENT, breaks) as server:
        with pytest.raises(Unreachable, match="broke"):
            await said_by(shell_to(server.port), OURS)


async def test_a_command_that_a_signal_ended_gives_no_exit_status() -> None:
    async def killed(process: Process, _: str) -> None:
        process.exit_with_signal("KILL")

    async with ssh_server(OURS, CLIENT, killed) as server:
        with pytest.raises(Unreachable, match="before the command had ended"):
            await said_by(shell_to(server.port), OURS)


async def test_a_machine_that_goes_silent_is_noticed() -> None:
    """Its network is gone: nobody answers, nobody says so."""
    async with (
        ssh_server(OURS, CLIENT, hangs) as server,
        asyncio.timeout(PATIENCE_S),
        shell_to(server.port, keepalive_s=0.1).open("127.0.0.1", [OURS.public]) as session,
    ):
        coming = session.run("bash -s", b"")
        assert await anext(coming) == "one"
        server.deafen()
        with pytest.raises(Unreachable):
            await anext(coming)


async def hangs(process: Process, _: str) -> None:
    process.stdout.write("one\n")
    await asyncio.Event().wait()


async def test_leaving_while_the_machine_hangs_takes_no_time() -> None:
    async with (
        ssh_server(OURS, CLIENT, hangs) as server,
        asyncio.timeout(PATIENCE_S),
        shell_to(server.port).open("127.0.0.1", [OURS.public]) as session,
    ):
        coming = session.run("bash -s", b"")
        assert await anext(coming) == "one"
        waiting = asyncio.ensure_future(anext(coming))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await coming.aclose()


async def test_a_line_without_an_end_is_cut_and_what_comes_after_it_is_heard() -> None:
    async def floods(process: Process, _: str) -> None:
        process.stdout.write("x" * 300_000 + "\nlast\n")
        process.exit(0)

    async with ssh_server(OURS, CLIENT, floods) as server:
        assert await said_by(shell_to(server.port), OURS) == ["x" * LONGEST_LINE, "last", Exited(0)]


async def test_a_machine_that_prints_without_an_end_is_left() -> None:
    written = 0

    async def floods(process: Process, _: str) -> None:
        nonlocal written
        while True:
            process.stdout.write("x" * 65_536 + "\n")
            written += 65_536
            await process.stdout.drain()

    async with ssh_server(OURS, CLIENT, floods) as server, asyncio.timeout(PATIENCE_S):
        with pytest.raises(Unreachable, match="it printed more than 8 MB"):
            await said_by(shell_to(server.port), OURS)
    assert written < AT_ONCE + 2_000_000


async def test_what_a_machine_says_as_it_hangs_up_is_plain_and_short() -> None:
    async def hangs_up(process: Process, _: str) -> None:
        process.channel.get_connection().disconnect(2, "\x1b[2J\u202e" + "x" * 30_000)

    async with ssh_server(OURS, CLIENT, hangs_up) as server:
        with pytest.raises(Unreachable) as told:
            await said_by(shell_to(server.port), OURS)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("banner", [b"x" * 65_536, b"\x1b[2J\r\n" * 8_192])
async def test_a_port_that_greets_without_an_end_is_unreachable(banner: bytes) -> None:
    async def greets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while not writer.is_closing():
                writer.write(banner)
                await writer.drain()

    async with await asyncio.start_server(greets, "127.0.0.1", 0) as server:
        with pytest.raises(Unreachable) as told:
            await said_by(shell_to(server.sockets[0].getsockname()[1]), OURS)
    assert str(told.value).isprintable()


async def test_a_machine_that_would_compress_is_not_spoken_to() -> None:
    async with ssh_server(OURS, CLIENT, answers, compression_algs=["zlib@openssh.com"]) as server:
        with pytest.raises(Unreachable, match="compression"):
            await said_by(shell_to(server.port), OURS)
