"""The webhooks service, wired: it queues events for webhooks, and delivers them."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.webhooks.changes import listen
from services.webhooks.deliveries import Deliveries
from services.webhooks.dispatcher import Dispatcher
from services.webhooks.housekeeping import keep_house
from services.webhooks.queueing import Queueing
from services.webhooks.replays import Replays
from services.webhooks.sender import Sender
from services.webhooks.settings import WebhooksSettings
from shared.bus.start_up import connected
from shared.postgres.connection import connect_pool
from shared.postgres.migrate import migrate
from shared.running import alongside
from shared.secrets import Secrets


@asynccontextmanager
async def running(settings: WebhooksSettings, trust: ssl.SSLContext | None = None) -> AsyncGenerator[Dispatcher]:
    """Queue and deliver while the block runs. `trust`: instead of this machine's certificate authorities."""
    url = settings.database_url.get_secret_value()
    async with (
        connected(settings, "webhooks") as connection,
        connect_pool(url, name="coldstart webhooks", waits=True) as pool,
    ):
        await migrate(pool)
        async with Sender.open(settings, trust) as sender:
            deliveries = Deliveries(pool, settings)
            secrets = Secrets(settings.master_secret.get_secret_value())
            dispatcher = Dispatcher(connection, deliveries, sender, secrets, settings)
            work = (
                Queueing(connection, settings).run(),
                Replays(connection, pool, settings).run(),
                listen(settings.database_url, dispatcher.wake),
                keep_house(deliveries),
                dispatcher.run(),
            )
            async with alongside(*work):
                try:
                    yield dispatcher
                finally:
                    await dispatcher.stop()
