"""The server that claimed an instance."""

from services.provisioner.provider import SERVER_MISSING, Server, TryAgain
from shared.lifecycle.instance import Instance


def the_server(instance: Instance) -> tuple[str, str]:
    """Its zone and id. The instance must have been created."""
    if instance.zone is None or instance.resources.server_id is None:
        raise ValueError(f"instance {instance.id} has no server on record")
    return instance.zone, instance.resources.server_id


def present(server: Server | None) -> Server:
    """The server; raises TryAgain without one. One look proves nothing: later looks, and reconciliation, decide."""
    if server is None:
        raise TryAgain(SERVER_MISSING, "the provider does not know the server")
    return server
