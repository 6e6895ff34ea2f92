"""What a launch is made of, and what the provider's books must say of it."""

from shared.lifecycle.progress import PROGRESS
from tests.integration.line import Line

PERCENTAGES = {kind.__name__: percent for kind, percent in PROGRESS.items() if kind.purpose in (None, "serve")}
MILESTONES = tuple(PERCENTAGES)


async def balanced(running: Line, instance_id: str) -> None:
    """One server of this instance is left, and no other was ever powered on."""
    account = await running.account()
    servers = [server for server in account["servers"] if any(instance_id in tag for tag in server["tags"])]
    alive = [server for server in servers if server["deleted_at"] is None]
    assert len(alive) == 1, servers
    assert [server["id"] for server in servers if server["power_ons"]] == [alive[0]["id"]]
    assert len(account["remaining"]["servers"]) == 1
    assert len(account["remaining"]["block_volumes"]) == 1
