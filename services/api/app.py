"""The api service, wired: the control API, its event streams, and the router in front of the workers."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from services.api.access.authentication import Authentication
from services.api.access.repository import ApiKeyRepository
from services.api.access.sessions import Sessions
from services.api.admission.intake import Intake
from services.api.admission.intents import Intents
from services.api.admission.launch_rights import LaunchRights
from services.api.admission.launches import Launches
from services.api.admission.projection import Projection
from services.api.admission.spending_limits import LimitChecks
from services.api.application import application
from services.api.catalogue.access_cache import AccessCache
from services.api.catalogue.cataloguing import Cataloguing
from services.api.catalogue.hub.cache import HubCache
from services.api.catalogue.hub.client import Hub
from services.api.catalogue.hub.search import HubSearch
from services.api.catalogue.repository import ModelRepository
from services.api.catalogue.simulated import Simulated
from services.api.catalogue.slugs import Slugs
from services.api.console.links import SignInLinks
from services.api.console.rendering import Pages
from services.api.control.model_search import ModelSearch
from services.api.control.reconciliation import Reconciliation
from services.api.control.repository import InstanceRepository
from services.api.estimates.estimates import Estimates
from services.api.estimates.repository import LaunchRepository
from services.api.feed.feed import Feed
from services.api.feed.repository import ReadModelRepository
from services.api.feed.sse import EventSource
from services.api.http.front.limits import Limits, most_connections, raise_descriptor_limit
from services.api.http.server import serving
from services.api.router.build import running_router
from services.api.settings import ApiSettings
from services.api.tenancy.repository import OfferingRepository, OrganizationRepository
from services.api.usage.costs import CostRepository
from services.api.usage.repository import UsageRepository
from shared.bus.connection import connect
from shared.bus.topology_guard import guarded_topology
from shared.install_output import InstallOutputs
from shared.journal.journal import Journal
from shared.offers.instance_types import InstanceTypes
from shared.offers.provider_status import ProviderStatuses
from shared.postgres.connection import connect_pool
from shared.postgres.migrate import migrate
from shared.secrets import Secrets

log = structlog.get_logger()


@dataclass(frozen=True)
class Api:
    """`url` is where it is bound; `first_admin_key` the key that this start has made, if it made one."""

    url: str
    first_admin_key: str | None


@asynccontextmanager
async def running(settings: ApiSettings) -> AsyncGenerator[Api]:  # noqa: PLR0915 - one list of all that is wired
    """Serve until the block ends; then let event streams go at once and requests finish."""
    async with AsyncExitStack() as stack:
        lost_touch = asyncio.Event()
        connection = await connect(settings.nats_url.get_secret_value(), "api", lost_touch.set)
        stack.push_async_callback(connection.close)
        jetstream = connection.jetstream()
        guard = await stack.enter_async_context(
            guarded_topology(
                connection,
                replicas=settings.stream_replicas,
                ack_wait_s=settings.lease_seconds,
                installation=settings.installation,
            )
        )
        installation = guard.identity.installation
        database_url, patience_s = settings.database_url.get_secret_value(), settings.database_timeout_seconds
        pool = await stack.enter_async_context(connect_pool(database_url, name="api", command_timeout_s=patience_s))
        await migrate(pool)
        api_keys, read_model = ApiKeyRepository(pool), ReadModelRepository(pool)
        first_admin_key = None if settings.admin_key else await _first_admin_key(api_keys)

        projection = Projection(pool, settings.projection_wait_seconds)
        access = AccessCache(
            settings.database_url,
            pool,
            admin_key=settings.admin_key,
            refresh_s=settings.refresh_seconds,
            timeout_s=patience_s,
            on_projected=projection.moved,
        )
        await access.load()

        sessions = Sessions(Secrets(settings.master_secret.get_secret_value()).session_key())
        authentication = Authentication(access, sessions)
        estimates = Estimates(
            LaunchRepository(pool), launches=settings.eta_launches, refresh_s=settings.eta_refresh_seconds
        )
        await estimates.load()
        usage = UsageRepository(pool)
        feed = Feed(
            connection,
            resumed=lost_touch.set,
            heartbeat_s=settings.stream_heartbeat_seconds,
            stale_after_s=settings.router_staleness_seconds,
        )
        feed.follow(estimates)
        routing = await stack.enter_async_context(
            running_router(
                settings,
                access=access,
                authentication=authentication,
                estimates=estimates,
                feed=feed,
                read_model=read_model,
                ledger=usage,
                lost_touch=lost_touch,
            )
        )
        feed.begin(installation, *await read_model.standing(installation))

        journal = Journal(connection, actor="api", source=f"/coldstart/{installation}", appended=guard.appended)
        hub = Hub(settings.hf_endpoint, settings.hf_token, settings.hub_timeout_seconds)
        stack.callback(hub.close)
        simulated = Simulated(settings.simulated, hub.models)
        lookups = HubCache(hub, settings.hub_cache_seconds)
        stack.callback(lookups.close)
        hub_search = HubSearch(
            settings.hf_endpoint,
            settings.hf_token,
            timeout_s=settings.hub_search_timeout_seconds,
            kept_s=settings.hub_search_cache_seconds,
        )
        stack.callback(hub_search.close)
        models, costs, organizations = ModelRepository(pool), CostRepository(pool), OrganizationRepository(pool)
        cataloguing = Cataloguing(access, models, lookups, simulated)
        instance_types = InstanceTypes(jetstream, replicas=settings.stream_replicas)
        statuses = ProviderStatuses(jetstream, replicas=settings.stream_replicas)
        rights = LaunchRights(access, settings.allowed_images)
        launches = Launches(access, organizations, costs)
        limits = LimitChecks(access, costs, launches, instance_types, journal)
        intents = Intents(
            journal,
            projection,
            Intake(cataloguing, instance_types, statuses, rights, simulated),
            launches,
            settings.journal_timeout_seconds,
        )
        app = application(
            inference=routing.inference,
            authentication=authentication,
            dependencies={
                "authentication": authentication,
                "cataloguing": cataloguing,
                "cost_repository": costs,
                "instance_repository": InstanceRepository(pool),
                "key_repository": api_keys,
                "model_repository": models,
                "offering_repository": OfferingRepository(pool),
                "organization_repository": organizations,
                "read_model": read_model,
                "estimates": estimates,
                "event_source": EventSource(
                    feed,
                    access,
                    estimates,
                    estimate_s=settings.estimate_seconds,
                    ping_s=settings.ping_seconds,
                    stall_s=settings.stall_seconds,
                    max_backlog=settings.max_backlog,
                ),
                "explaining": routing.explaining,
                "feed": feed,
                "gauges": routing.gauges,
                "guard": guard,
                "offered": instance_types,
                "statuses": statuses,
                "install_outputs": InstallOutputs(jetstream, replicas=settings.stream_replicas),
                "pages": Pages(authentication, sessions),
                "intents": intents,
                "jetstream": jetstream,
                "launches": launches,
                "access": access,
                "model_search": ModelSearch(access, hub_search, rights),
                "reconciliation": Reconciliation(connection, settings.reconcile_timeout_seconds),
                "sessions": sessions,
                "settings": settings,
                "slugs": Slugs(access, hub),
                "sign_in_links": SignInLinks(pool, sessions, lifetime_s=settings.sign_in_link_seconds),
                "usage_repository": usage,
            },
            max_body_bytes=settings.max_body_bytes,
            metrics_access=settings.metrics_access,
            simulated=settings.simulated,
        )

        def leave() -> None:
            feed.close()
            authentication.wrong_keys.close()

        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each)
                for each in (access.run(), feed.run(), estimates.run(), limits.run(settings.limits_check_seconds))
            ]
            try:
                async with serving(
                    app,
                    settings.api_host,
                    settings.api_port,
                    limits=_limits(settings),
                    grace_s=settings.shutdown_seconds,
                    on_leaving=leave,
                ) as url:
                    log.info("serving", url=url)
                    yield Api(url, first_admin_key)
            finally:
                for task in tasks:
                    task.cancel()


def _limits(settings: ApiSettings) -> Limits:
    return Limits(
        head_bytes=settings.max_head_bytes,
        target_bytes=settings.max_target_bytes,
        headers=settings.max_headers,
        body_bytes=settings.max_body_bytes,
        inference_body_bytes=settings.max_inference_body_bytes,
        head_s=settings.request_head_seconds,
        body_s=settings.request_body_seconds,
        kept_alive_s=settings.client_kept_alive_seconds,
        discard_s=settings.discard_seconds,
        stall_s=settings.stall_seconds,
        connections=most_connections(settings.max_connections, raise_descriptor_limit()),
    )


async def _first_admin_key(api_keys: ApiKeyRepository) -> str | None:
    made = await api_keys.add_first_admin_key()
    if made is None:
        return None
    sys.stdout.write(f"The administrator's API key, shown only this once: {made.key}\n")
    sys.stdout.flush()
    return made.key
