"""Streams as versions made them that let events be deleted: what such a data folder lacks has to be lived with."""

from nats.js import JetStreamContext

from shared.journal.streams import LIFECYCLE


async def let_events_be_deleted(jetstream: JetStreamContext) -> None:
    """Make the stream anew without its protection, before there is anything in it."""
    info = await jetstream.stream_info(LIFECYCLE)
    assert info.state.last_seq == 0
    await jetstream.delete_stream(LIFECYCLE)
    await jetstream.add_stream(info.config.evolve(deny_delete=False, deny_purge=False))
