"""Events of many instances that live side by side, as the journal writes them, made fast enough to fill a stream."""

from collections.abc import Iterable, Iterator
from itertools import chain, count, islice
from typing import Final
from uuid import UUID, uuid4

from nats.aio.client import Client

from shared.journal.envelope import encode
from shared.journal.recorded import Origin
from shared.journal.streams import LIFECYCLE, append_subject, events_of
from shared.lifecycle.events import Event, event_id
from shared.lifecycle.fold import begin, evolve
from shared.lifecycle.instance import Instance
from tests.lifecycle import facts as f
from tests.lifecycle import histories as h
from tests.lifecycle.facts import Facts

Message = tuple[str, bytes]
WINDOW: Final = 500
"""So many appends wait for their acknowledgement at most."""
_LOADS: Final = (("download", 0.0), ("download", 0.2), ("shards", 0.35), ("shards", 0.6), ("weights", 0.7))
_LATER_LOADS: Final = (("compile", 0.75), ("compile", 0.85), ("graph_capture", 0.9), ("warm_up", 1.0))


def a_whole_life() -> Facts:
    """A launch with as many facts as the simulated cloud's, an outage, and the end: 80 kB in the stream."""
    asked = h.a_launch(
        name="qwen-production",
        zones=("fr-par-2", "nl-ams-1"),
        vllm_args=("--max-model-len", "32768", "--gpu-memory-utilization", "0.92"),
        commit="7ae557604adf67be50417f59c2c2f167def9a775",
        weights_bytes=988_097_824,
        gpu_memory_gb=2.4,
        tensor_parallel_sizes=(1, 2, 7, 14),
    )
    loads = (f.model_load_progressed(stage=stage, fraction=share) for stage, share in (*_LOADS, *_LATER_LOADS))
    started = (f.worker_reachable(), f.model_loaded(), f.warmup_completed(), f.health_passed(), f.instance_ready())
    outage = (f.health_lost(), f.health_restored())
    end = (f.termination_requested(), f.server_deleted(), f.instance_terminated())
    return f.timed(*asked, *h.an_install(), f.ssh_install_completed(), *loads, *started, *outage, *end)


def life(history: Facts) -> Iterator[tuple[str, bytes]]:
    """Names and bodies of one instance's events, as the journal appends them."""
    instance: Instance | None = None
    for fact in history:
        event: Event = fact
        instance = begin(event) if instance is None else evolve(instance, event)  # type: ignore[arg-type]
        yield event.type(), encode(event_id(event), event, instance, Origin("benchmark"), "/coldstart/benchmark")


def interleaved(events: int, instances: int = 50) -> Iterator[Message]:
    """Subjects and bodies of that many events; so many instances live at a time.

    One life is folded. Each instance has it under its own id, the event ids being the same.
    """
    known = str(f.INSTANCE_ID).encode()
    whole = list(life(a_whole_life()))

    def side_by_side() -> Iterator[Message]:
        ids = [uuid4() for _ in range(instances)]
        for name, body in whole:
            for instance_id in ids:
                yield append_subject(instance_id, name), body.replace(known, str(instance_id).encode())

    return islice(chain.from_iterable(side_by_side() for _ in count()), events)


async def written(connection: Client, messages: Iterable[Message]) -> int:
    """Append them as fast as the stream takes them, with the journal's headers; returns the stream's last sequence."""
    jetstream = connection.jetstream(publish_async_max_pending=WINDOW)
    sequence = (await jetstream.stream_info(LIFECYCLE)).state.last_seq
    last: dict[str, int] = {}
    for sequence, (subject, body) in enumerate(messages, sequence + 1):  # noqa: B020  continued from the stream's
        instance = subject.split(".")[1]
        headers = {
            "Nats-Msg-Id": str(uuid4()),
            "Nats-Expected-Stream": LIFECYCLE,
            "Nats-Expected-Last-Subject-Sequence": str(last.get(instance, 0)),
            "Nats-Expected-Last-Subject-Sequence-Subject": events_of(UUID(instance)),
        }
        await jetstream.publish_async(subject, body, wait_stall=30, headers=headers)
        last[instance] = sequence
    await jetstream.publish_async_completed()
    info = await jetstream.stream_info(LIFECYCLE)
    if info.state.last_seq != sequence:
        raise AssertionError("the stream refused events")
    return sequence
