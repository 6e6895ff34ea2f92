"""What each user of the embedded NATS servers may do, tried on the real ones."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from coldstart.embedded.followers import followers_server
from coldstart.embedded.nats import EmbeddedNats, FollowersNats
from coldstart.embedded.ports import HOST
from coldstart.supervised.process import Command
from services.progress.followers_copy import FollowersCopy
from shared import launching, load
from shared.bus.accounts import (
    COPIER,
    FOLLOWER,
    HEALTH_OF_THE_SERVER,
    MONITOR,
    Account,
    followers,
    inbox,
    services,
    system,
)
from shared.bus.connection import connect, connect_with
from shared.bus.nats_configuration import page
from shared.bus.topology import LAUNCH, REPLICAS, SCALE, WATCH, apply_topology
from shared.deployments.events import DEPLOYMENT_EVENTS, OfTheScaler
from shared.journal.streams import LIFECYCLE
from shared.lifecycle.events import EVENTS, DrainRequested, TerminationRequested
from shared.observation import SUBJECT
from tests.embedded.owners import PROJECT

WITHIN_S = 60
OF_NO_FOLLOWER = (
    *(
        "journal.victim.InstanceReady",
        "requests.reconcile",
        f"replays.{LAUNCH.durable}",
        f"dead_letters.{WATCH.durable}",
    ),
    *("$KV.install_output.victim", "$JS.API.STREAM.INFO.KV_install_output", "$JS.API.DIRECT.GET.KV_install_output.x"),
    *(f"$JS.API.STREAM.{verb}.{LIFECYCLE}" for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE")),
    *(f"$JS.API.CONSUMER.{verb}.REPLAYS.{LAUNCH.replays}" for verb in ("CREATE", "DELETE", "MSG.NEXT", "INFO")),
    f"$JS.ACK.REPLAYS.{LAUNCH.replays}.1.1.1.1.1",
)
OF_NO_SERVICE = (
    *(f"$JS.API.STREAM.{verb}.{LIFECYCLE}" for verb in ("DELETE", "PURGE", "MSG.DELETE")),
    *(f"$JS.API.CONSUMER.DELETE.{LIFECYCLE}.{trigger.durable}" for trigger in (LAUNCH, WATCH)),
    "lifecycle.victim.InstanceReady",
)
OF_ONE_SERVICE = {
    f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{LAUNCH.durable}": "provisioner",
    f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{WATCH.durable}": "health",
    f"$JS.ACK.{LIFECYCLE}.{WATCH.durable}.1.1.1.1.1": "health",
    "$KV.instance_types.scaleway": "provisioner",
    "requests.reconcile": "api",
    f"$JS.API.CONSUMER.MSG.NEXT.{LIFECYCLE}.{SCALE.durable}": "scaler",
    f"$JS.ACK.{LIFECYCLE}.{REPLICAS.durable}.1.1.1.1.1": "scaler",
    launching.SUBJECT: "scaler",
    load.SUBJECT: "api",
    SUBJECT: "health",
}
FORMER = Template("""
listen: "$host:$port"
authorization { user: coldstart, password: "$password" }
jetstream { store_dir: "$store", sync_interval: always }
""")


class Former(EmbeddedNats):
    """As it was while there was one user, in the account of everybody."""

    def command(self, port: int) -> Command:
        command = super().command(port)
        password, store = self.folder.password("password"), self.folder.data
        self.folder.write("server.conf", FORMER.substitute(host=HOST, port=port, password=password, store=store))
        return command


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[EmbeddedNats]:
    async with EmbeddedNats(tmp_path) as server:
        yield server


@pytest.fixture
async def copy(tmp_path: Path) -> AsyncGenerator[FollowersNats]:
    async with FollowersNats(tmp_path) as server:
        yield server


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncGenerator[Client]:
    connection = await connect_with({"servers": [url], **options})
    try:
        yield connection
    finally:
        await connection.close()


async def refused(url: str, publish: Iterable[str] = (), subscribe: Iterable[str] = ()) -> set[str]:
    """Those of these subjects that the server refuses, in lower case."""
    said: list[str] = []

    async def on_error(error: Exception) -> None:
        said.append(str(error))

    tried = [*publish, *subscribe]
    async with connected(url, error_cb=on_error, allow_reconnect=False) as connection:
        for subject in publish:
            await connection.publish(subject, b"{}")
        for subject in subscribe:
            await connection.subscribe(subject)
        await connection.flush()
        async with asyncio.timeout(WITHIN_S):
            await connection.flush()
    return {subject.lower() for subject in tried if any(f'"{subject}"'.lower() in each.lower() for each in said)}


async def test_a_follower_may_publish_nothing_that_matters_and_hear_nothing_but_events(copy: FollowersNats) -> None:
    unheard = (f"{inbox('api')}.>", "requests.>", "$JS.EVENT.>", "$KV.>", ">")
    found = await refused(copy.url_of(FOLLOWER), OF_NO_FOLLOWER, unheard)
    assert found == {subject.lower() for subject in (*OF_NO_FOLLOWER, *unheard)}


async def answer(url: str, asked: str = "") -> str:
    """What the server says to this user up to a PONG or the end of the connection."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    try:
        sign_in = json.dumps({"user": at.username, "pass": at.password, "verbose": False})
        writer.write(f"CONNECT {sign_in}\r\n{asked}PING\r\n".encode())
        async with asyncio.timeout(WITHIN_S):
            try:
                return (await reader.readuntil(b"PONG")).decode()
            except asyncio.IncompleteReadError as ended:
                return ended.partial.decode()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_follower_is_nobody_on_the_services_server(server: EmbeddedNats, copy: FollowersNats) -> None:
    """There it could have an answer sent to the journal, and keep JetStream busy until it answers nobody else."""
    at = server.url.rpartition("@")[2]
    for user in (FOLLOWER, COPIER):
        assert "Authorization Violation" in await answer(f"{copy.url_of(user).rpartition('@')[0]}@{at}")


async def test_a_connection_of_a_follower_has_so_many_subscriptions(copy: FollowersNats) -> None:
    (limits,) = filter(None, [followers().limits])
    asked = "".join(f"SUB lifecycle.{number}.> {number}\r\n" for number in range(limits.subscriptions + 3))
    assert (await answer(copy.url, asked)).count("maximum subscriptions exceeded") == 3


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="this system's limits cannot be read")
async def test_the_followers_server_has_so_much_memory_and_is_started_again_where_it_was(tmp_path: Path) -> None:
    async with followers_server(tmp_path) as server, connected(server.url, max_reconnect_attempts=-1) as follower:
        assert psutil.Process(server.pid).rlimit(psutil.RLIMIT_DATA)[1] == FollowersNats.most_memory
        again = asyncio.Event()

        async def reconnected() -> None:
            again.set()

        follower.options["reconnect_time_wait"] = 0.1
        follower._reconnected_cb = reconnected
        os.kill(server.pid, signal.SIGKILL)
        async with asyncio.timeout(WITHIN_S):
            await again.wait()
        assert (await follower.jetstream().account_info()).streams == 0


async def test_a_server_that_is_stopped_while_it_is_asked_whether_it_has_started_stops(
    server: EmbeddedNats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever answer the cancellation comes with: Python 3.11's `wait_for` then returns the answer and forgets it."""
    port = urlsplit(server.url).port or 0
    wait_for, waits, cancelled_at = asyncio.wait_for, 0, 0

    async def counted(answer: Any, timeout_s: float) -> Any:
        nonlocal waits
        waits += 1
        result = await wait_for(answer, timeout_s)
        if waits == cancelled_at:
            probing.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return result

    monkeypatch.setattr(asyncio, "wait_for", counted)
    await server.probe(port)
    for cancelled_at in range(1, waits + 1):
        waits = 0
        probing = asyncio.create_task(server.probe(port))
        await asyncio.wait({probing})
        assert probing.cancelled(), cancelled_at
    assert cancelled_at > 1


async def test_a_follower_reads_its_copy_by_consumers_of_its_own_and_so_many_of_them(
    server: EmbeddedNats, copy: FollowersNats
) -> None:
    source = await connect(server.url_of("progress"), "source")
    async with (
        connected(server.url) as operator,
        connected(copy.url_of(COPIER), inbox_prefix=inbox(COPIER)) as copier,
    ):
        await apply_topology(operator.jetstream(), replicas=1, ack_wait_s=5)
        await FollowersCopy(source, copier, replicas=1, heartbeat_s=1).prepare()
        await copier.jetstream().publish("journal.some.InstanceReady", b"ready")
        async with connected(copy.url) as follower:
            jetstream = follower.jetstream()
            ordered = await jetstream.subscribe("lifecycle.>", stream=LIFECYCLE, ordered_consumer=True)
            assert (await ordered.next_msg(WITHIN_S)).data == b"ready"
            pulled = await jetstream.pull_subscribe("lifecycle.>", durable="mine", stream=LIFECYCLE)
            (message,) = await pulled.fetch(1, WITHIN_S)
            await message.ack_sync()
            assert (await jetstream.get_last_msg(LIFECYCLE, "lifecycle.some.>")).data == b"ready"
            await jetstream.delete_consumer(LIFECYCLE, "mine")
            (limits,) = filter(None, [followers().limits])
            for number in range(limits.consumers - 1):  # and the ordered one
                await jetstream.add_consumer(LIFECYCLE, durable_name=f"of-many-{number}")
            with pytest.raises(APIError, match="maximum consumers"):
                await jetstream.add_consumer(LIFECYCLE, durable_name="one-too-many")
    for connection in (source, copier):
        await connection.close()


@pytest.mark.parametrize("service", ["api", "provisioner", "health", "progress", "scaler", "webhooks"])
async def test_a_service_may_do_what_is_its_own_and_destroy_nothing(server: EmbeddedNats, service: str) -> None:
    others = [subject for subject, its in OF_ONE_SERVICE.items() if its != service]
    unheard = (f"{inbox('coldstart')}.>", "_INBOX.>", "journal.>")
    found = await refused(server.url_of(service), (*OF_NO_SERVICE, *OF_ONE_SERVICE), unheard)
    assert found == {subject.lower() for subject in (*OF_NO_SERVICE, *others, *unheard)}


async def test_what_a_health_process_says_of_itself_reaches_the_api_and_no_other_service(server: EmbeddedNats) -> None:
    async with connected(server.url_of("api")) as api, connected(server.url_of("health")) as health:
        hearing = await api.subscribe(SUBJECT)
        await api.flush()
        await health.publish(SUBJECT, b"doubt")
        assert (await hearing.next_msg(WITHIN_S)).data == b"doubt"
    for service in ("provisioner", "health", "progress", "scaler", "webhooks"):
        assert await refused(server.url_of(service), subscribe=(SUBJECT,)) == {SUBJECT}


async def test_the_scaler_concludes_and_ends_instances_but_launches_none_and_asks_for_nothing_in_a_persons_name(
    server: EmbeddedNats,
) -> None:
    of_people = [kind for kind in DEPLOYMENT_EVENTS.values() if not issubclass(kind, OfTheScaler)]
    ending = {DrainRequested, TerminationRequested}
    forbidden = {f"journal.an-id.{kind.type()}" for kind in (*of_people, *({*EVENTS.values()} - ending))}
    own = {f"journal.an-id.{kind.type()}" for kind in ({*DEPLOYMENT_EVENTS.values()} - {*of_people}) | ending}
    found = await refused(server.url_of("scaler"), (*forbidden, *own), (launching.SUBJECT,))
    assert found == {subject.lower() for subject in (*forbidden, launching.SUBJECT)}
    assert await refused(server.url_of("api"), subscribe=(launching.SUBJECT,)) == set()


async def test_data_of_a_version_with_one_user_is_kept_and_its_password_still_is_the_operators(tmp_path: Path) -> None:
    async with Former(tmp_path) as former, connected(former.url) as connection:
        installation = await apply_topology(connection.jetstream(), replicas=1, ack_wait_s=5)
        await connection.jetstream().publish("journal.some.InstanceRequested", b"kept")
        url = former.url
    for _ in range(2):  # and so it stays
        async with EmbeddedNats(tmp_path) as server, connected(url) as connection:
            assert server.url == url
            jetstream = connection.jetstream()
            assert await apply_topology(jetstream, replicas=1, ack_wait_s=5) == installation
            assert (await jetstream.get_last_msg(LIFECYCLE, "lifecycle.some.>")).data == b"kept"
            consumer = await jetstream.consumer_info(LIFECYCLE, LAUNCH.durable)
            assert consumer.num_pending == 1


async def test_the_monitor_may_ask_for_the_servers_health_and_for_nothing_else(server: EmbeddedNats) -> None:
    async with connected(server.url_of(MONITOR)) as monitor:
        assert b'"status":"ok"' in (await monitor.request(HEALTH_OF_THE_SERVER, timeout=WITHIN_S)).data
        for subject in ("$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.PING", "journal.x.Probe"):
            with pytest.raises(NatsError):
                await monitor.request(subject, timeout=0.2)
    async with connected(server.url) as operator:
        with pytest.raises(NatsError):
            await operator.request(HEALTH_OF_THE_SERVER, timeout=0.2)


async def test_every_user_has_a_password_that_only_the_owner_reads(server: EmbeddedNats) -> None:
    files = [file for file in server.folder.path.iterdir() if "password" in file.name]
    assert len({file.read_text() for file in files}) == len(services().users) + len(system().users)
    assert {file.stat().st_mode & 0o777 for file in (*files, server.folder.path / "server.conf")} == {0o600}


@pytest.mark.parametrize(("name", "account"), [("nats.conf", services()), ("nats-followers.conf", followers())])
def test_the_configuration_to_paste_is_the_codes(name: str, account: Account) -> None:
    assert (PROJECT / "docs" / name).read_text() == page(account)
